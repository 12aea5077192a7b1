DELETE FROM stock AS s
USING position AS q
WHERE q.k = $1 AND q.product_id = $2 AND q.place = $3
  AND s.k = q.k AND s.product_id = q.product_id AND s.position_no = q.position_no
