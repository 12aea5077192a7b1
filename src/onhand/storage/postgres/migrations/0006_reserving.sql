-- Batches that only take checked reservations ask for nothing but the cells of places and for command ids. Their gather is
-- a function of its own (ADR 26): `gather_batch` evaluates an expression for each table and column that a batch could
-- ask for, in each transaction anew, and runs a statement for each part of the answer. This one has the types in its
-- signature and two statements. The answer is that of `gather_batch`, and so are the order of locks and the reasons for it.

CREATE FUNCTION gather_places(
    now_us           bigint,
    environments     integer[],
    want_k           bigint[],
    want_environment integer[],
    want_organization text[],
    want_product     text[],
    want_place_of    integer[],
    want_place       text[],
    id_environment   integer[],
    id_kind          smallint[],
    id               text[],
    id_c             bigint[]
) RETURNS json
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    one               integer;
    got_product_id    bigint[];
    got_version       bigint[];
    got_next_position integer[];
    got_next_hold     bigint[];
    due               boolean;
    answer            json;
BEGIN
    FOREACH one IN ARRAY environments LOOP
        PERFORM pg_advisory_xact_lock_shared(1869506657, one);
    END LOOP;

    SELECT array_agg(l.product_id), array_agg(l.version), array_agg(l.next_position), array_agg(l.next_hold)
    INTO got_product_id, got_version, got_next_position, got_next_hold
    FROM unnest(want_k, want_environment, want_organization, want_product)
         AS w (k, environment_no, organization_key, product_key)
    CROSS JOIN LATERAL (
        SELECT p.product_id, p.version, p.next_position, p.next_hold
        FROM product AS p
        WHERE p.k BETWEEN w.k AND w.k AND p.environment_no = w.environment_no
          AND p.organization_key = w.organization_key AND p.product_key = w.product_key
        ORDER BY p.k, p.product_id
        FOR UPDATE
    ) AS l;
    IF cardinality(got_product_id) IS DISTINCT FROM cardinality(want_k) THEN
        RETURN NULL;  -- a product is new: the caller rolls back, ensures the rows and asks again
    END IF;

    WITH cell AS MATERIALIZED (
        SELECT w.p, q.*
        FROM unnest(want_place_of, want_place) AS w (p, place)
        CROSS JOIN LATERAL (
            SELECT q.position_no, q.cell_no, q.key, q.place, q.set_at
            FROM position AS q
            WHERE q.k = want_k[w.p] AND q.product_id = got_product_id[w.p]
              AND q.place BETWEEN w.place AND w.place AND q.cell_no = q.position_no
            ORDER BY q.place
            OFFSET 0
        ) AS q
    ), cells AS (
        SELECT array_agg(p) AS p, array_agg(position_no) AS position_no, array_agg(cell_no) AS cell_no,
               array_agg(key) AS key, array_agg(place) AS place, array_agg(set_at) AS set_at
        FROM cell
    ), levels AS (
        SELECT array_agg(cell.p) AS p, array_agg(s.position_no) AS position_no, array_agg(s.measure_id) AS measure_id,
               array_agg(s.own) AS own, array_agg(s.finer) AS finer, array_agg(s.held) AS held
        FROM cell
        CROSS JOIN LATERAL (
            SELECT s.*
            FROM stock AS s
            WHERE s.k = want_k[cell.p] AND s.product_id = got_product_id[cell.p] AND s.position_no = cell.position_no
            OFFSET 0
        ) AS s
    ), seen AS (
        SELECT array_agg(w.ordinal::integer) AS ordinal, array_agg(i.fingerprint) AS fingerprint,
               array_agg(i.accepted) AS accepted
        FROM unnest(id_environment, id_kind, id, id_c) WITH ORDINALITY AS w (environment_no, kind, id, c, ordinal)
        CROSS JOIN LATERAL (
            SELECT i.fingerprint, i.accepted
            FROM command_id AS i
            WHERE i.environment_no = w.environment_no AND i.kind = w.kind AND i.id = w.id AND i.c = w.c
            OFFSET 0
        ) AS i
    ), configured AS (
        SELECT array_agg(e.environment_no) AS environment_no, array_agg(e.configuration_version) AS version
        FROM environment AS e
        WHERE e.environment_no = ANY (environments)
    )
    SELECT json_build_array(
               configured.environment_no, configured.version, got_product_id, got_version, got_next_position,
               got_next_hold, cells.p, cells.position_no, cells.cell_no, cells.key, cells.place, cells.set_at,
               levels.p, levels.position_no, levels.measure_id, levels.own, levels.finer, levels.held,
               null, null, null, null, null, null, null, null, null, null,  -- holds
               seen.ordinal, seen.fingerprint, seen.accepted,
               null, null, null),  -- documents
           EXISTS (
               SELECT
               FROM unnest(want_k, got_product_id) AS w (k, product_id)
               CROSS JOIN LATERAL (
                   SELECT
                   FROM hold AS h
                   WHERE h.k = w.k AND h.product_id = w.product_id
                     AND h.remaining > 0 AND h.expires_at IS NOT NULL AND h.expires_at <= now_us
                   ORDER BY h.expires_at
                   LIMIT 1
               ) AS h)
    INTO answer, due
    FROM cells, levels, seen, configured;

    IF due THEN  -- holds lapse with this batch: the other function reads them, under the same locks
        RETURN gather_batch(
            now_us, ARRAY[environments::text],
            ARRAY[want_k::text, want_environment::text, want_organization::text, want_product::text],
            ARRAY[want_place_of::text, want_place::text], '{}', '{}', '{}', '{}', '{}', '{}',
            ARRAY[id_environment::text, id_kind::text, id::text, id_c::text], '{}');
    END IF;
    RETURN answer;
END
$$;

-- Ends a statement whose rows contradict what was read under the lock, where a function would `ASSERT`.
CREATE FUNCTION contradiction(what text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '%', what USING ERRCODE = 'assert_failure';
END
$$;
