SELECT w.ordinal, q.key, m.measure_id, sum(m.delta)::bigint AS delta, count(*) AS movements
FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS w (k, product_id, ordinal)
JOIN movement AS m USING (k, product_id)
JOIN position AS q USING (k, product_id, position_no)
GROUP BY 1, 2, 3
