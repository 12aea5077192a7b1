-- Products that ever had stock at one of these places, in the order of their keys; with $6 only those with a movement there
-- since. $1 environment, $2 places or null, $3 $4 the last product of the page before, $5 limit.
SELECT d.k, d.product_id, d.environment_no, d.organization_key, d.product_key
FROM (
    SELECT DISTINCT q.k, q.product_id
    FROM position AS q
    WHERE q.environment_no = $1 AND ($2::text[] IS NULL OR q.place = ANY ($2)) AND (q.k, q.product_id) > ($3, $4)
      AND ($6::timestamptz IS NULL OR EXISTS (
          SELECT FROM movement AS m
          WHERE m.k = q.k AND m.product_id = q.product_id AND m.position_no = q.position_no AND m.at >= $6
      ))
    ORDER BY q.k, q.product_id
    LIMIT $5
) AS found
JOIN product AS d USING (k, product_id)
ORDER BY d.k, d.product_id
