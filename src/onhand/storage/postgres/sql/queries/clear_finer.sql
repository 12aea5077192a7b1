UPDATE stock AS s
SET finer = 0
FROM unnest($1::bigint[], $2::bigint[]) AS w (k, product_id)
WHERE s.k = w.k AND s.product_id = w.product_id AND s.finer <> 0
