-- Cells of places of products with their stock, without locks: what is found may change at any time (`looking.py`, ADR 27).
-- A product that is new is left out. One row of parameters for each pair of product and place.
WITH found AS MATERIALIZED (
    SELECT w.pair, w.place, w.k, p.*
    FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
         AS w (k, environment_no, organization_key, product_key, place, pair)
    CROSS JOIN LATERAL (
        SELECT p.product_id, p.version, p.next_position, p.next_hold
        FROM product AS p
        WHERE p.k BETWEEN w.k AND w.k AND p.environment_no = w.environment_no
          AND p.organization_key = w.organization_key AND p.product_key = w.product_key
        ORDER BY p.k, p.product_id
        OFFSET 0
    ) AS p
), due AS (
    SELECT found.pair, h.expires_at
    FROM found
    CROSS JOIN LATERAL (
        SELECT h.expires_at
        FROM hold AS h
        WHERE h.k = found.k AND h.product_id = found.product_id AND h.remaining > 0 AND h.expires_at IS NOT NULL
        ORDER BY h.expires_at
        LIMIT 1
    ) AS h
), cell AS MATERIALIZED (
    SELECT found.pair, found.k, found.product_id, q.position_no, q.key
    FROM found
    CROSS JOIN LATERAL (
        SELECT q.position_no, q.key
        FROM position AS q
        WHERE q.k = found.k AND q.product_id = found.product_id
          AND q.place BETWEEN found.place AND found.place AND q.cell_no = q.position_no
        ORDER BY q.place
        OFFSET 0
    ) AS q
), level AS (
    SELECT cell.pair, cell.key, s.measure_id, s.own, s.finer, s.held
    FROM cell
    CROSS JOIN LATERAL (
        SELECT s.*
        FROM stock AS s
        WHERE s.k = cell.k AND s.product_id = cell.product_id AND s.position_no = cell.position_no
        OFFSET 0
    ) AS s
), products AS (
    SELECT json_build_array(array_agg(pair), array_agg(product_id), array_agg(version), array_agg(next_position),
                            array_agg(next_hold)) AS columns
    FROM found
), moments AS (
    SELECT json_build_array(array_agg(pair), array_agg(expires_at)) AS columns
    FROM due
), cells AS (
    SELECT json_build_array(array_agg(pair), array_agg(position_no), array_agg(key)) AS columns
    FROM cell
), levels AS (
    SELECT json_build_array(array_agg(pair), array_agg(key), array_agg(measure_id), array_agg(own), array_agg(finer),
                            array_agg(held)) AS columns
    FROM level
)
SELECT json_build_array(products.columns, moments.columns, cells.columns, levels.columns)
FROM products, moments, cells, levels
