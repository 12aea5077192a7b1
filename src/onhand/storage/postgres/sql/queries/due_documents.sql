-- The longest due first, those that follow a row: ($4, $5, $6) is its place in this order.
SELECT t.*
FROM document AS t
WHERE t.kind = $1 AND t.due_at <= $2
    AND (t.due_at, t.id, t.environment_no) > ($4::bigint, $5::text, $6::integer)
ORDER BY t.due_at, t.id, t.environment_no
LIMIT $3
