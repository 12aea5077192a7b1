SELECT m.measure_id
FROM measure AS m
WHERE m.environment_no = $1
  AND (
      EXISTS (
          SELECT
          FROM stock AS s
          JOIN product AS p USING (k, product_id)
          WHERE p.environment_no = $1 AND s.measure_id = m.measure_id AND (s.own <> 0 OR s.finer <> 0 OR s.held <> 0))
      OR EXISTS (
          SELECT
          FROM hold AS h
          JOIN product AS p USING (k, product_id)
          WHERE p.environment_no = $1 AND h.measure_id = m.measure_id AND h.remaining > 0))
