-- In the order of (created_at, id), {direction}; the cursor is the last row's order. {conditions} narrows it.
-- {listed} lets the planner walk along that order; without it only the labels lead to the rows.
SELECT t.*
FROM document AS t
WHERE t.environment_no = $1 AND t.kind = $2 {listed}
  AND (t.created_at, t.id) {beyond} ($3, $4)
  {conditions}
ORDER BY t.created_at {direction}, t.id {direction}
LIMIT $5
