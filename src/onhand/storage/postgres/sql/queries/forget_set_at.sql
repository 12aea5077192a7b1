UPDATE position
SET set_at = NULL
WHERE k = $1 AND product_id = $2 AND place = $3 AND set_at IS NOT NULL
