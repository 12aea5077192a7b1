-- At most $3 of them. {conditions} narrows it; {listed} as in find_documents. Materialized, so that the plan is one for
-- all of them: a walk that hopes to meet enough of them soon would read the whole table for a rare label.
WITH found AS MATERIALIZED (
    SELECT
    FROM document AS t
    WHERE t.environment_no = $1 AND t.kind = $2 {listed}
      {conditions}
)
SELECT count(*) FROM (SELECT FROM found LIMIT $3) AS counted
