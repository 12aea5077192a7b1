-- One chunk of the ledger of a product: the commands of its movements, when, and whether they were at the place.
-- The range of one value and its order name the index by position; else each movement may walk over all of them.
SELECT m.sequence, m.kind, m.command_id, (extract(epoch FROM m.at) * 1000000)::bigint AS at, q.place = $3 AS here
FROM (
    SELECT sequence, kind, command_id, at, position_no
    FROM movement
    WHERE k = $1 AND product_id = $2 AND sequence > $4
    ORDER BY sequence
    LIMIT $5
) AS m
CROSS JOIN LATERAL (
    SELECT p.place
    FROM position AS p
    WHERE p.k = $1 AND p.product_id = $2 AND p.position_no BETWEEN m.position_no AND m.position_no
    ORDER BY p.position_no
    OFFSET 0
) AS q
