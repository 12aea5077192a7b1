SELECT p.k, p.environment_no, p.organization_key, p.product_key
FROM product AS p
WHERE p.environment_no = $1 AND p.organization_key = $2
  AND EXISTS (
      SELECT
      FROM position AS q
      JOIN stock AS s USING (k, product_id, position_no)
      WHERE q.k = p.k AND q.product_id = p.product_id AND q.place = $3)
ORDER BY 1, 2, 3, 4
