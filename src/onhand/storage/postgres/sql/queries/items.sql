-- Items, that is products at places, in the order of their keys. $1 environment, $2 inventory measure, $3 organizations, $4
-- products or null, $5 places, $6 with a movement there since, or null, $7 in stock, not in stock, or null for both, $8 $9 $10
-- the last item of the page before, $11 limit.
SELECT d.k, d.product_id, d.environment_no, d.organization_key, d.product_key, q.place
FROM position AS q
JOIN product AS d USING (k, product_id)
LEFT JOIN stock AS s
    ON s.k = q.k AND s.product_id = q.product_id AND s.position_no = q.position_no AND s.measure_id = $2
WHERE q.environment_no = $1 AND d.organization_key = ANY ($3::text[]) AND q.place = ANY ($5::text[])
  AND ($4::text[] IS NULL OR d.product_key = ANY ($4))
  AND (q.k, q.product_id, q.place) > ($8, $9, $10::text)
  AND ($6::timestamptz IS NULL OR EXISTS (
      SELECT FROM position AS r
      JOIN movement AS m ON m.k = r.k AND m.product_id = r.product_id AND m.position_no = r.position_no
      WHERE r.k = q.k AND r.product_id = q.product_id AND r.place = q.place AND m.at >= $6
  ))
GROUP BY d.k, d.product_id, d.environment_no, d.organization_key, d.product_key, q.place
HAVING $7::boolean IS NULL OR (coalesce(sum(s.own), 0) > 0) = $7
ORDER BY d.k, d.product_id, q.place
LIMIT $11
