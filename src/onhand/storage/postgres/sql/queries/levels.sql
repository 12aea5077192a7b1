-- Stock of products, what expired holds still keep already taken off. {cells} narrows it to the cells.
-- LATERAL behind OFFSET 0 leads each row to the next by its full key: the columns of a product's keys are correlated,
-- which the planner cannot know, and a join may compare each record of a product with each other.
WITH w AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS w (k, product_id, ordinal)
), due AS MATERIALIZED (
    SELECT w.ordinal, h.position_no, q.cell_no, h.measure_id, sum(h.remaining)::bigint AS remaining
    FROM w
    JOIN hold AS h USING (k, product_id)
    CROSS JOIN LATERAL (
        SELECT p.cell_no
        FROM position AS p
        WHERE p.k = w.k AND p.product_id = w.product_id AND p.position_no BETWEEN h.position_no AND h.position_no
        ORDER BY p.position_no
        OFFSET 0
    ) AS q
    WHERE h.remaining > 0 AND h.expires_at IS NOT NULL AND h.expires_at <= $4
    GROUP BY 1, 2, 3, 4
), below AS MATERIALIZED (
    SELECT ordinal, cell_no, measure_id, sum(remaining)::bigint AS remaining
    FROM due
    WHERE cell_no <> position_no
    GROUP BY 1, 2, 3
), level AS MATERIALIZED (
    SELECT w.ordinal, q.position_no, q.key, c.key AS cell, q.shown, s.measure_id, s.own, s.finer
    FROM w
    CROSS JOIN LATERAL (
        SELECT q.position_no, q.cell_no, q.key, q.shown
        FROM position AS q
        WHERE q.k = w.k AND q.product_id = w.product_id AND ($3::text[] IS NULL OR q.place = ANY ($3)) {cells}
        OFFSET 0
    ) AS q
    CROSS JOIN LATERAL (
        SELECT s.measure_id, s.own, s.finer
        FROM stock AS s
        WHERE s.k = w.k AND s.product_id = w.product_id AND s.position_no = q.position_no
        OFFSET 0
    ) AS s
    CROSS JOIN LATERAL (
        SELECT p.key
        FROM position AS p
        WHERE p.k = w.k AND p.product_id = w.product_id AND p.position_no BETWEEN q.cell_no AND q.cell_no
        ORDER BY p.position_no
        OFFSET 0
    ) AS c
)
SELECT l.ordinal, l.key, l.cell, l.shown, l.measure_id,
       l.own - coalesce(due.remaining, 0) AS own, l.finer - coalesce(below.remaining, 0) AS finer
FROM level AS l
LEFT JOIN due USING (ordinal, position_no, measure_id)
LEFT JOIN below ON below.ordinal = l.ordinal AND below.cell_no = l.position_no AND below.measure_id = l.measure_id
ORDER BY l.ordinal, l.position_no, l.measure_id
