-- Cell and stock of each position are looked up by their full keys (see levels.sql).
SELECT w.ordinal, q.key, c.key AS cell, s.measure_id, s.own, s.finer, s.held
FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS w (k, product_id, ordinal)
JOIN position AS q USING (k, product_id)
CROSS JOIN LATERAL (
    SELECT p.key
    FROM position AS p
    WHERE p.k = w.k AND p.product_id = w.product_id AND p.position_no BETWEEN q.cell_no AND q.cell_no
    ORDER BY p.position_no
    OFFSET 0
) AS c
LEFT JOIN LATERAL (
    SELECT s.measure_id, s.own, s.finer, s.held
    FROM stock AS s
    WHERE s.k = w.k AND s.product_id = w.product_id AND s.position_no = q.position_no
    OFFSET 0
) AS s ON true
