SELECT h.*, p.organization, p.product, q.shown
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w (k, product_id, hold_no)
JOIN hold AS h USING (k, product_id, hold_no)
JOIN product AS p USING (k, product_id)
JOIN position AS q USING (k, product_id, position_no)
WHERE p.environment_no = $4
