SELECT t.*
FROM document AS t
WHERE t.kind = $1 AND t.due_at <= $2
ORDER BY t.due_at, t.id
LIMIT $3
