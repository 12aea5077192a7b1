-- All positions of a product with their stock.
SELECT q.position_no, q.cell_no, q.key, q.place, q.set_at, s.measure_id, s.own, s.finer, s.held
FROM position AS q
LEFT JOIN stock AS s USING (k, product_id, position_no)
WHERE q.k = $1 AND q.product_id = $2
