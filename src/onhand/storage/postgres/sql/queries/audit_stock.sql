SELECT w.ordinal, q.key, c.key AS cell, s.measure_id, s.own, s.finer, s.held
FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS w (k, product_id, ordinal)
JOIN position AS q USING (k, product_id)
JOIN position AS c ON c.k = q.k AND c.product_id = q.product_id AND c.position_no = q.cell_no
LEFT JOIN stock AS s ON s.k = q.k AND s.product_id = q.product_id AND s.position_no = q.position_no
