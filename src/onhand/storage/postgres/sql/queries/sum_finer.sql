-- LATERAL behind OFFSET 0 leads from each record to its stock by the full key (see levels.sql).
INSERT INTO stock (k, product_id, position_no, measure_id, own, finer, held)
SELECT w.k, w.product_id, q.cell_no, s.measure_id, 0, sum(s.own), 0
FROM unnest($1::bigint[], $2::bigint[]) AS w (k, product_id)
CROSS JOIN LATERAL (
    SELECT q.position_no, q.cell_no
    FROM position AS q
    WHERE q.k = w.k AND q.product_id = w.product_id AND q.cell_no <> q.position_no
    OFFSET 0
) AS q
CROSS JOIN LATERAL (
    SELECT s.measure_id, s.own
    FROM stock AS s
    WHERE s.k = w.k AND s.product_id = w.product_id AND s.position_no = q.position_no
    OFFSET 0
) AS s
GROUP BY 1, 2, 3, 4
ON CONFLICT (k, product_id, position_no, measure_id) DO UPDATE SET finer = excluded.finer
