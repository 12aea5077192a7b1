-- One page of the products that have this cell.
SELECT p.k, p.product_id, p.environment_no, p.organization_key, p.product_key
FROM (
    SELECT q.k, q.product_id
    FROM position AS q
    WHERE q.environment_no = $1 AND q.key = $2 AND q.cell_no = q.position_no AND (q.k, q.product_id) > ($3, $4)
    ORDER BY q.k, q.product_id
    LIMIT $5
) AS w
JOIN product AS p USING (k, product_id)
ORDER BY p.k, p.product_id
