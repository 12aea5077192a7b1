-- All holds of a product, oldest first.
SELECT h.hold_no, q.key AS position, q.place, h.measure_id, h.quantity, h.remaining, h.owner, h.expires_at, h.created_at,
       h.counted
FROM hold AS h
JOIN position AS q USING (k, product_id, position_no)
WHERE h.k = $1 AND h.product_id = $2
ORDER BY h.hold_no
