-- Newest first; the cursor is the last row's order. {conditions} narrows it.
SELECT h.*, p.organization, p.product, q.shown
FROM hold AS h
JOIN product AS p USING (k, product_id)
JOIN position AS q USING (k, product_id, position_no)
WHERE p.environment_no = $1
  AND (h.created_at, h.k, h.product_id, h.hold_no) < ($2, $3, $4, $5)
  {conditions}
ORDER BY h.created_at DESC, h.k DESC, h.product_id DESC, h.hold_no DESC
LIMIT $6
