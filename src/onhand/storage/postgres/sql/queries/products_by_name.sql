-- Without organizations: every product of these names; without names: every product of these organizations.
SELECT p.k, p.product_id, p.environment_no, p.organization_key, p.product_key, p.organization, p.product
FROM product AS p
WHERE p.environment_no = $1
  AND ($2::text[] IS NULL OR p.organization_key = ANY ($2))
  AND ($3::text[] IS NULL OR p.product_key = ANY ($3))
ORDER BY p.organization_key, p.product_key
