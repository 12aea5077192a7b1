-- In the order of the engine's locks: k first; products that share k follow by their id, which no batch can contest
-- while the fence is closed.
SELECT k, product_id, next_position
FROM product
WHERE environment_no = $1 AND (k, product_id) > ($2, $3)
ORDER BY k, product_id
LIMIT $4
FOR UPDATE
