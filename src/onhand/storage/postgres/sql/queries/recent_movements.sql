-- The newest movements of each product since a time, of some measures.
SELECT w.ordinal, m.sequence, m.at, q.key, m.measure_id, m.delta, m.level, m.command_id, m.caller
FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[])
     WITH ORDINALITY AS w (k, environment_no, organization_key, product_key, ordinal)
JOIN product AS p USING (k, environment_no, organization_key, product_key)
CROSS JOIN LATERAL (
    SELECT m.sequence, m.at, m.position_no, m.measure_id, m.delta, m.level, m.command_id, m.caller
    FROM movement AS m
    WHERE m.k = p.k AND m.product_id = p.product_id AND m.at >= $5 AND m.measure_id = ANY ($6::integer[])
    ORDER BY m.sequence DESC
    LIMIT $7
) AS m
JOIN position AS q ON q.k = p.k AND q.product_id = p.product_id AND q.position_no = m.position_no
ORDER BY w.ordinal, m.sequence
