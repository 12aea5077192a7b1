SELECT h.*, p.environment_no, p.organization_key, p.product_key, p.organization, p.product, q.shown
FROM hold AS h
JOIN product AS p USING (k, product_id)
JOIN position AS q USING (k, product_id, position_no)
WHERE h.k = $1 AND h.product_id = $2 AND h.hold_no = $3 AND p.environment_no = $4
