SELECT p.k, p.product_id, p.environment_no, p.organization_key, p.product_key, p.version
FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[]) AS w (k, environment_no, organization_key, product_key)
JOIN product AS p USING (k, environment_no, organization_key, product_key)
ORDER BY 1, 3, 4, 5
