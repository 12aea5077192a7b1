SELECT product_id, version, next_position, next_hold
FROM product
WHERE k = $1 AND environment_no = $2 AND organization_key = $3 AND product_key = $4
FOR UPDATE
