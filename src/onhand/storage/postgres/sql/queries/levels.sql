-- Stock of products, what expired holds still keep already taken off. {cells} narrows it to the cells.
WITH w AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS w (k, product_id, ordinal)
), due AS MATERIALIZED (
    SELECT w.ordinal, q.position_no, q.cell_no, h.measure_id, sum(h.remaining)::bigint AS remaining
    FROM w
    JOIN hold AS h USING (k, product_id)
    JOIN position AS q USING (k, product_id, position_no)
    WHERE h.remaining > 0 AND h.expires_at IS NOT NULL AND h.expires_at <= $4
    GROUP BY 1, 2, 3, 4
), below AS MATERIALIZED (
    SELECT ordinal, cell_no, measure_id, sum(remaining)::bigint AS remaining
    FROM due
    WHERE cell_no <> position_no
    GROUP BY 1, 2, 3
)
SELECT w.ordinal, q.key, c.key AS cell, q.shown, s.measure_id,
       s.own - coalesce(due.remaining, 0) AS own, s.finer - coalesce(below.remaining, 0) AS finer
FROM w
JOIN position AS q USING (k, product_id)
JOIN stock AS s USING (k, product_id, position_no)
JOIN position AS c ON c.k = q.k AND c.product_id = q.product_id AND c.position_no = q.cell_no
LEFT JOIN due ON due.ordinal = w.ordinal AND due.position_no = s.position_no AND due.measure_id = s.measure_id
LEFT JOIN below ON below.ordinal = w.ordinal AND below.cell_no = s.position_no AND below.measure_id = s.measure_id
WHERE ($3::text[] IS NULL OR q.place = ANY ($3)) {cells}
ORDER BY w.ordinal, q.position_no, s.measure_id
