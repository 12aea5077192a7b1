-- Rows of one batch share their time, so the cursor is a time and how many rows of that time were seen.
SELECT r.*, p.organization, p.product
FROM refusal AS r
JOIN product AS p USING (k, product_id)
WHERE p.environment_no = $1 AND r.at >= $2 AND r.at <= $3
ORDER BY r.at DESC, r.k, r.product_id, r.kind, r.command_id, r.position, r.measure_id, r.requested
OFFSET $4
LIMIT $5
