SELECT q.k, q.product_id, q.position_no, q.cell_no, q.place, q.key, q.shown
FROM unnest($1::bigint[], $2::bigint[]) AS w (k, product_id)
JOIN position AS q USING (k, product_id)
ORDER BY q.k, q.product_id, q.position_no
