-- Summed before the positions are looked up, each by its full key (see levels.sql).
SELECT f.ordinal, q.key, f.measure_id, f.delta, f.movements
FROM (
    SELECT w.ordinal, w.k, w.product_id, m.position_no, m.measure_id,
           sum(m.delta)::bigint AS delta, count(*) AS movements
    FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS w (k, product_id, ordinal)
    JOIN movement AS m USING (k, product_id)
    GROUP BY 1, 2, 3, 4, 5
) AS f
CROSS JOIN LATERAL (
    SELECT p.key
    FROM position AS p
    WHERE p.k = f.k AND p.product_id = f.product_id AND p.position_no BETWEEN f.position_no AND f.position_no
    ORDER BY p.position_no
    OFFSET 0
) AS q
