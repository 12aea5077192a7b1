INSERT INTO stock (k, product_id, position_no, measure_id, own, finer, held)
SELECT q.k, q.product_id, q.cell_no, s.measure_id, 0, sum(s.own), 0
FROM unnest($1::bigint[], $2::bigint[]) AS w (k, product_id)
JOIN position AS q USING (k, product_id)
JOIN stock AS s USING (k, product_id, position_no)
WHERE q.cell_no <> q.position_no
GROUP BY 1, 2, 3, 4
ON CONFLICT (k, product_id, position_no, measure_id) DO UPDATE SET finer = excluded.finer
