UPDATE product AS p
SET next_position = w.next_position
FROM unnest($1::bigint[], $2::bigint[], $3::integer[]) AS w (k, product_id, next_position)
WHERE p.k = w.k AND p.product_id = w.product_id AND p.next_position <> w.next_position
