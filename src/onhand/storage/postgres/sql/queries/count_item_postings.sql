-- How many transactions `item_postings` would make, at most $10. The parameters are the same.
SELECT count(*)
FROM (
    SELECT DISTINCT m.k, m.product_id, q.place, m.kind, m.command_id
    FROM product AS d
    JOIN movement AS m USING (k, product_id)
    JOIN position AS q USING (k, product_id, position_no)
    WHERE d.environment_no = $1 AND q.environment_no = $1
      AND m.measure_id IN ($2, $3) AND m.delta <> 0 AND NOT m.command_id LIKE ANY ($4::text[])
      AND ($5::text[] IS NULL OR q.place = ANY ($5))
      AND ($6::timestamptz IS NULL OR m.at >= $6) AND ($7::timestamptz IS NULL OR m.at < $7)
      AND ($8::text IS NULL OR lower(m.caller) = $8) AND ($9::text IS NULL OR d.product_key = $9)
      AND {which}
    LIMIT $10
) AS found
