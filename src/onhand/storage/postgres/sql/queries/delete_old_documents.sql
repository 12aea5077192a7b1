DELETE FROM document AS t
USING (
    SELECT d, environment_no, kind, id
    FROM document
    WHERE environment_no = $1 AND kind = $2 AND created_at >= 0 AND created_at < $3
    ORDER BY created_at, id
    LIMIT $4
    FOR UPDATE SKIP LOCKED
) AS old
WHERE t.d = old.d AND t.environment_no = old.environment_no AND t.kind = old.kind AND t.id = old.id
