-- Movements of the two measures of items, newest first, each with the totals of its item after it: what is there now
-- without everything newer. $1 environment, $2 inventory measure, $3 reserved measure, $4 patterns of command ids to leave
-- out, $5 places or null, $6 from (inclusive) or null, $7 until (exclusive) or null, $8 caller or null, $9 product or null, $10 limit.
WITH page AS (
    SELECT m.*
    FROM product AS d
    JOIN movement AS m USING (k, product_id)
    JOIN position AS q USING (k, product_id, position_no)
    WHERE d.environment_no = $1 AND q.environment_no = $1
      AND m.measure_id IN ($2, $3) AND m.delta <> 0 AND NOT m.command_id LIKE ANY ($4::text[])
      AND ($5::text[] IS NULL OR q.place = ANY ($5))
      AND ($6::timestamptz IS NULL OR m.at >= $6) AND ($7::timestamptz IS NULL OR m.at < $7)
      AND ($8::text IS NULL OR lower(m.caller) = $8) AND ($9::text IS NULL OR d.product_key = $9)
      AND {which}
    ORDER BY {order}
    LIMIT $10
), bounds AS (
    SELECT k, product_id, min(sequence) AS first FROM page GROUP BY k, product_id
), newer AS (
    SELECT m.k, m.product_id, m.sequence, q.place,
           sum(m.delta) FILTER (WHERE m.measure_id = $2) OVER later AS inventory,
           sum(m.delta) FILTER (WHERE m.measure_id = $3) OVER later AS reserved
    FROM bounds AS b
    JOIN movement AS m ON m.k = b.k AND m.product_id = b.product_id AND m.sequence >= b.first
    JOIN position AS q ON q.k = m.k AND q.product_id = m.product_id AND q.position_no = m.position_no
    WHERE m.measure_id IN ($2, $3)
    WINDOW later AS (
        PARTITION BY m.k, m.product_id, q.place ORDER BY m.sequence DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
), present AS (
    SELECT q.k, q.product_id, q.place,
           sum(s.own) FILTER (WHERE s.measure_id = $2) AS inventory,
           sum(s.own) FILTER (WHERE s.measure_id = $3) AS reserved
    FROM bounds AS b
    JOIN position AS q ON q.k = b.k AND q.product_id = b.product_id
    JOIN stock AS s ON s.k = q.k AND s.product_id = q.product_id AND s.position_no = q.position_no
    GROUP BY q.k, q.product_id, q.place
)
SELECT m.k, m.product_id, m.sequence, m.at, m.measure_id, m.delta, m.kind, m.command_id, m.caller, m.reason,
       d.environment_no, d.organization_key, d.product_key, d.organization, d.product, q.place, q.shown,
       (coalesce(present.inventory, 0) - coalesce(newer.inventory, 0))::bigint AS inventory,
       (coalesce(present.reserved, 0) - coalesce(newer.reserved, 0))::bigint AS reserved
FROM page AS m
JOIN product AS d USING (k, product_id)
JOIN position AS q USING (k, product_id, position_no)
JOIN newer ON newer.k = m.k AND newer.product_id = m.product_id AND newer.sequence = m.sequence
JOIN present ON present.k = m.k AND present.product_id = m.product_id AND present.place = q.place
ORDER BY {order}
