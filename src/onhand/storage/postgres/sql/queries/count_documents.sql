-- At most $3 of them. {conditions} narrows it.
SELECT count(*)
FROM (
    SELECT
    FROM document AS t
    WHERE t.environment_no = $1 AND t.kind = $2 AND t.created_at >= 0
      {conditions}
    LIMIT $3
) AS counted
