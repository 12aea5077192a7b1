-- By number, so that no plan compares each stock row with each position of a product of many lots.
DELETE FROM stock AS s
WHERE s.k = $1 AND s.product_id = $2
  AND s.position_no = ANY (ARRAY(
      SELECT q.position_no
      FROM position AS q
      WHERE q.k = $1 AND q.product_id = $2 AND q.place = $3))
