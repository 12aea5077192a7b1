SELECT w.ordinal, q.key, h.measure_id, sum(h.remaining)::bigint AS remaining
FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS w (k, product_id, ordinal)
JOIN hold AS h USING (k, product_id)
JOIN position AS q USING (k, product_id, position_no)
WHERE h.remaining > 0
GROUP BY 1, 2, 3
