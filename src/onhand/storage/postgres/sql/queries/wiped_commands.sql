-- One chunk of the ledger of a product: the commands of its movements, when, and whether they were at the place.
SELECT m.sequence, m.kind, m.command_id, (extract(epoch FROM m.at) * 1000000)::bigint AS at, q.place = $3 AS here
FROM movement AS m
JOIN position AS q ON q.k = m.k AND q.product_id = m.product_id AND q.position_no = m.position_no
WHERE m.k = $1 AND m.product_id = $2 AND m.sequence > $4
ORDER BY m.sequence
LIMIT $5
