SELECT m.*, p.organization, p.product, q.shown
FROM product AS p
JOIN movement AS m USING (k, product_id)
JOIN position AS q USING (k, product_id, position_no)
WHERE p.k = $1 AND p.environment_no = $2 AND p.organization_key = $3 AND p.product_key = $4
  AND m.sequence < $5
  AND ($6::text IS NULL OR q.key = $6)
  AND ($7::integer IS NULL OR m.measure_id = $7)
ORDER BY m.sequence DESC
LIMIT $8
