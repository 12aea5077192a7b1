SELECT p.k, p.product_id, p.environment_no, p.organization_key, p.product_key, p.organization, p.product
FROM (
    SELECT DISTINCT q.k, q.product_id
    FROM position AS q
    WHERE q.environment_no = $1 AND q.place = ANY ($2::text[])
) AS w
JOIN product AS p USING (k, product_id)
WHERE $3::text[] IS NULL OR p.organization_key = ANY ($3)
ORDER BY p.organization_key, p.product_key
