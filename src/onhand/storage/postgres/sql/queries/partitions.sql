-- $2: by location, where one partition holds all products of an organization at a place.
SELECT DISTINCT p.organization_key, CASE WHEN $2 THEN '' ELSE p.product_key END AS product_key, q.place
FROM product AS p
JOIN position AS q USING (k, product_id)
WHERE p.environment_no = $1
  AND EXISTS (
      SELECT FROM stock AS s
      WHERE s.k = q.k AND s.product_id = q.product_id AND s.position_no = q.position_no)
ORDER BY 1, 2, 3
