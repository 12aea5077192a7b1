SELECT k, environment_no, organization_key, product_key
FROM product
WHERE environment_no = $1 AND (k, environment_no, organization_key, product_key) > ($2, $3, $4, $5)
ORDER BY k, environment_no, organization_key, product_key
LIMIT $6
