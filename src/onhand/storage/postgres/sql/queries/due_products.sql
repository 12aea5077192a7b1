SELECT p.k, p.environment_no, p.organization_key, p.product_key
FROM (
    SELECT DISTINCT h.k, h.product_id
    FROM hold AS h
    WHERE h.remaining > 0 AND h.expires_at IS NOT NULL AND h.expires_at <= $1
    ORDER BY 1, 2
    LIMIT $2
) AS due
JOIN product AS p USING (k, product_id)
ORDER BY 1, 2, 3, 4
