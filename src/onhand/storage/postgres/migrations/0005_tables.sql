-- The two functions of the hot path, with one argument for each table: a text array whose elements are the columns, each
-- an array literal; no rows are an empty array. What 0002_unit.sql says about the functions holds here.
--
-- Before, each column was an argument. PostgreSQL evaluates a cast and copies an array for each of a hundred
-- arguments, also when they are empty, and the service makes and sends each of them: for a batch of one command that
-- was most of its cost (ADR 22).
--
-- The planner's settings are those of the session that calls (`lines.PLANNER`): set and reset by the function, they cost
-- more than planning. The settings and what the statements do about them belong together (ADR 17).

DROP FUNCTION gather_batch;
DROP FUNCTION commit_batch;

CREATE FUNCTION gather_batch(
    now_us       bigint,
    environments text[],
    products     text[],
    places       text[],
    wholes       text[],
    positions    text[],
    holds        text[],
    queries      text[],
    opened       text[],
    records      text[],
    ids          text[],
    documents    text[]
) RETURNS json
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    want_environment          integer[]  := environments[1]::integer[];
    want_k                    bigint[]   := products[1]::bigint[];
    want_product_environment  integer[]  := products[2]::integer[];
    want_organization         text[]     := products[3]::text[];
    want_product              text[]     := products[4]::text[];
    want_place_of             integer[]  := places[1]::integer[];
    want_place                text[]     := places[2]::text[];
    want_whole_of             integer[]  := wholes[1]::integer[];
    want_position_of          integer[]  := positions[1]::integer[];
    want_position             text[]     := positions[2]::text[];
    want_hold_of              integer[]  := holds[1]::integer[];
    want_hold                 bigint[]   := holds[2]::bigint[];
    want_query_of             integer[]  := queries[1]::integer[];
    want_query_position       text[]     := queries[2]::text[];
    want_query_measure        integer[]  := queries[3]::integer[];
    want_query_owner          text[]     := queries[4]::text[];
    want_query_quantity       bigint[]   := queries[5]::bigint[];
    want_open_of              integer[]  := opened[1]::integer[];
    want_open_place           text[]     := opened[2]::text[];
    want_record_of            integer[]  := records[1]::integer[];
    want_record_place         text[]     := records[2]::text[];
    want_id_environment       integer[]  := ids[1]::integer[];
    want_id_kind              smallint[] := ids[2]::smallint[];
    want_id                   text[]     := ids[3]::text[];
    want_id_c                 bigint[]   := ids[4]::bigint[];
    want_d                    bigint[]   := documents[1]::bigint[];
    want_document_environment integer[]  := documents[2]::integer[];
    want_document_kind        text[]     := documents[3]::text[];
    want_document             text[]     := documents[4]::text[];
    got_environment           integer[];
    got_configuration         bigint[];
    got_product_id            bigint[];
    got_version               bigint[];
    got_next_position         integer[];
    got_next_hold             bigint[];
    got_position_of           integer[];
    got_position_no           integer[];
    got_cell_no               integer[];
    got_position              text[];
    got_place                 text[];
    got_set_at                bigint[];
    got_stock_of              integer[];
    got_stock_position        integer[];
    got_stock_measure         integer[];
    got_own                   bigint[];
    got_finer                 bigint[];
    got_held                  bigint[];
    got_hold_of               integer[];
    got_hold_no               bigint[];
    got_hold_position         integer[];
    got_hold_measure          integer[];
    got_hold_quantity         bigint[];
    got_hold_remaining        bigint[];
    got_hold_owner            text[];
    got_hold_expires_at       bigint[];
    got_hold_created_at       bigint[];
    got_hold_counted          boolean[];
    got_id_of                 integer[];
    got_fingerprint           bigint[];
    got_accepted              bytea[];
    got_document_of           integer[];
    got_document_version      bigint[];
    got_document_body         bytea[];
    one       integer;
    ordinal   integer;
    reached   bigint;
    found     record;
    more_of   integer[];
    more_no   bigint[];
    more_pos  integer[];
    more_cell integer[];
    more_key  text[];
    more_place text[];
    more_set  bigint[];
BEGIN
    -- The configuration fence comes before any row lock: whoever waits for it holds nothing.
    FOREACH one IN ARRAY want_environment LOOP
        PERFORM pg_advisory_xact_lock_shared(1869506657, one);
    END LOOP;

    IF cardinality(want_d) > 0 THEN
        PERFORM FROM (
            SELECT
            FROM unnest(want_d, want_document_environment, want_document_kind, want_document)
                 AS w (d, environment_no, kind, id)
            CROSS JOIN LATERAL (
                SELECT
                FROM document AS t
                WHERE t.d = w.d AND t.environment_no = w.environment_no AND t.kind = w.kind AND t.id = w.id
                FOR UPDATE
            ) AS locked
        ) AS locks;
    END IF;

    IF cardinality(want_k) > 0 THEN
        SELECT array_agg(l.product_id), array_agg(l.version), array_agg(l.next_position), array_agg(l.next_hold)
        INTO got_product_id, got_version, got_next_position, got_next_hold
        FROM unnest(want_k, want_product_environment, want_organization, want_product)
             AS w (k, environment_no, organization_key, product_key)
        CROSS JOIN LATERAL (
            SELECT p.product_id, p.version, p.next_position, p.next_hold
            FROM product AS p
            WHERE p.k BETWEEN w.k AND w.k AND p.environment_no = w.environment_no
              AND p.organization_key = w.organization_key AND p.product_key = w.product_key
            ORDER BY p.k, p.product_id  -- the index that commit_batch updates by, so that its page is at hand
            FOR UPDATE
        ) AS l;
        IF cardinality(got_product_id) IS DISTINCT FROM cardinality(want_k) THEN
            RETURN NULL;  -- a product is new: the caller rolls back, ensures the rows and asks again
        END IF;

        -- Holds that were asked for by query; then all of them by number, with those that are due.
        FOR ordinal IN 1 .. coalesce(cardinality(want_query_of), 0) LOOP
            reached := 0;
            SELECT q.position_no INTO one
            FROM position AS q
            WHERE q.k = want_k[want_query_of[ordinal]]
              AND q.product_id = got_product_id[want_query_of[ordinal]]
              AND q.key BETWEEN want_query_position[ordinal] AND want_query_position[ordinal]
            ORDER BY q.key;
            CONTINUE WHEN one IS NULL;
            FOR found IN
                SELECT h.hold_no, h.remaining
                FROM hold AS h
                WHERE h.k = want_k[want_query_of[ordinal]]
                  AND h.product_id = got_product_id[want_query_of[ordinal]]
                  AND h.position_no = one
                  AND h.measure_id = want_query_measure[ordinal]
                  AND h.owner BETWEEN want_query_owner[ordinal] AND want_query_owner[ordinal]
                  AND h.remaining > 0
                  AND (h.expires_at IS NULL OR h.expires_at > now_us)
                  AND NOT EXISTS (
                      SELECT FROM unnest(want_hold_of, want_hold) AS w (p, no)
                      WHERE w.p = want_query_of[ordinal] AND w.no = h.hold_no)
                ORDER BY h.owner, h.hold_no
            LOOP
                EXIT WHEN reached >= want_query_quantity[ordinal];
                reached := reached + found.remaining;
                more_of := more_of || want_query_of[ordinal];
                more_no := more_no || found.hold_no;
            END LOOP;
        END LOOP;
        IF cardinality(want_open_of) > 0 THEN
            SELECT more_of || array_agg(w.p), more_no || array_agg(h.hold_no) INTO more_of, more_no
            FROM unnest(want_open_of, want_open_place) AS w (p, place)
            CROSS JOIN LATERAL (
                SELECT h.hold_no, h.position_no
                FROM hold AS h
                WHERE h.k = want_k[w.p] AND h.product_id = got_product_id[w.p] AND h.remaining > 0
                ORDER BY h.position_no
                OFFSET 0
            ) AS h
            CROSS JOIN LATERAL (
                SELECT q.place
                FROM position AS q
                WHERE q.k = want_k[w.p] AND q.product_id = got_product_id[w.p]
                  AND q.position_no BETWEEN h.position_no AND h.position_no
                ORDER BY q.position_no
                OFFSET 0
            ) AS q
            WHERE w.place IS NULL OR q.place = w.place;
        END IF;
        IF cardinality(want_hold) > 0 OR cardinality(more_no) > 0 THEN
            SELECT array_agg(w.p), array_agg(h.hold_no), array_agg(h.position_no), array_agg(h.measure_id),
                   array_agg(h.quantity), array_agg(h.remaining), array_agg(h.owner),
                   array_agg(h.expires_at), array_agg(h.created_at), array_agg(h.counted)
            INTO got_hold_of, got_hold_no, got_hold_position, got_hold_measure,
                 got_hold_quantity, got_hold_remaining, got_hold_owner, got_hold_expires_at, got_hold_created_at,
                 got_hold_counted
            FROM (SELECT * FROM unnest(want_hold_of, want_hold) UNION SELECT * FROM unnest(more_of, more_no)) AS w (p, no)
            CROSS JOIN LATERAL (
                SELECT h.*
                FROM hold AS h
                WHERE h.k = want_k[w.p] AND h.product_id = got_product_id[w.p] AND h.hold_no = w.no
                OFFSET 0
            ) AS h;
        END IF;
        FOR found IN
            SELECT w.p, h.*
            FROM unnest(want_k, got_product_id) WITH ORDINALITY AS w (k, product_id, p)
            CROSS JOIN LATERAL (
                SELECT h.*
                FROM hold AS h
                WHERE h.k = w.k AND h.product_id = w.product_id
                  AND h.remaining > 0 AND h.expires_at IS NOT NULL AND h.expires_at <= now_us
                ORDER BY h.expires_at
                OFFSET 0
            ) AS h
        LOOP
            got_hold_of := got_hold_of || found.p::integer;
            got_hold_no := got_hold_no || found.hold_no;
            got_hold_position := got_hold_position || found.position_no;
            got_hold_measure := got_hold_measure || found.measure_id;
            got_hold_quantity := got_hold_quantity || found.quantity;
            got_hold_remaining := got_hold_remaining || found.remaining;
            got_hold_owner := got_hold_owner || found.owner;
            got_hold_expires_at := got_hold_expires_at || found.expires_at;
            got_hold_created_at := got_hold_created_at || found.created_at;
            got_hold_counted := got_hold_counted || found.counted;
        END LOOP;

        -- Positions: the cells of places; then those by key, of holds, and the cells of both, each once.
        IF cardinality(want_place) > 0 THEN
            SELECT array_agg(w.p), array_agg(q.position_no), array_agg(q.cell_no),
                   array_agg(q.key), array_agg(q.place), array_agg(q.set_at)
            INTO got_position_of, got_position_no, got_cell_no, got_position, got_place, got_set_at
            FROM unnest(want_place_of, want_place) AS w (p, place)
            CROSS JOIN LATERAL (
                SELECT q.position_no, q.cell_no, q.key, q.place, q.set_at
                FROM position AS q
                WHERE q.k = want_k[w.p] AND q.product_id = got_product_id[w.p]
                  AND q.place BETWEEN w.place AND w.place AND q.cell_no = q.position_no
                ORDER BY q.place
                OFFSET 0
            ) AS q;
        END IF;
        IF cardinality(want_hold) > 0 OR cardinality(want_whole_of) > 0 OR cardinality(want_record_of) > 0 THEN
            SELECT array_agg(q.p), array_agg(q.position_no), array_agg(q.cell_no),
                   array_agg(q.key), array_agg(q.place), array_agg(q.set_at)
            INTO more_of, more_pos, more_cell, more_key, more_place, more_set
            FROM (
                SELECT w.p, q.position_no, q.cell_no, q.key, q.place, q.set_at
                FROM unnest(want_whole_of) AS w (p)
                CROSS JOIN LATERAL (
                    SELECT q.*
                    FROM position AS q
                    WHERE q.k = want_k[w.p] AND q.product_id = got_product_id[w.p] AND q.cell_no = q.position_no
                    ORDER BY q.place
                    OFFSET 0
                ) AS q
                UNION
                SELECT w.p, q.position_no, q.cell_no, q.key, q.place, q.set_at
                FROM unnest(want_record_of, want_record_place) AS w (p, place)
                CROSS JOIN LATERAL (
                    SELECT q.*
                    FROM position AS q
                    WHERE q.k = want_k[w.p] AND q.product_id = got_product_id[w.p]
                      AND (w.place IS NULL OR q.place = w.place)
                    OFFSET 0
                ) AS q
                UNION
                SELECT w.p, q.position_no, q.cell_no, q.key, q.place, q.set_at
                FROM unnest(want_hold_of, want_hold) AS w (p, no)
                CROSS JOIN LATERAL (
                    SELECT h.position_no
                    FROM hold AS h
                    WHERE h.k = want_k[w.p] AND h.product_id = got_product_id[w.p] AND h.hold_no = w.no
                    OFFSET 0
                ) AS h
                CROSS JOIN LATERAL (
                    SELECT q.place
                    FROM position AS q
                    WHERE q.k = want_k[w.p] AND q.product_id = got_product_id[w.p]
                      AND q.position_no BETWEEN h.position_no AND h.position_no
                    ORDER BY q.position_no
                    OFFSET 0
                ) AS held
                CROSS JOIN LATERAL (
                    SELECT q.*
                    FROM position AS q
                    WHERE q.k = want_k[w.p] AND q.product_id = got_product_id[w.p]
                      AND q.place BETWEEN held.place AND held.place AND q.cell_no = q.position_no
                    ORDER BY q.place
                    OFFSET 0
                ) AS q
                EXCEPT
                SELECT * FROM unnest(got_position_of, got_position_no, got_cell_no, got_position, got_place, got_set_at)
            ) AS q;
            got_position_of := got_position_of || more_of;
            got_position_no := got_position_no || more_pos;
            got_cell_no := got_cell_no || more_cell;
            got_position := got_position || more_key;
            got_place := got_place || more_place;
            got_set_at := got_set_at || more_set;
        END IF;
        IF cardinality(want_position) > 0 THEN
            SELECT array_agg(w.p), array_agg(q.position_no), array_agg(q.cell_no),
                   array_agg(q.key), array_agg(q.place), array_agg(q.set_at)
            INTO more_of, more_pos, more_cell, more_key, more_place, more_set
            FROM (SELECT * FROM unnest(want_position_of, want_position)
                  EXCEPT SELECT * FROM unnest(got_position_of, got_position)) AS w (p, key)
            CROSS JOIN LATERAL (
                SELECT q.*
                FROM position AS q
                WHERE q.k = want_k[w.p] AND q.product_id = got_product_id[w.p] AND q.key BETWEEN w.key AND w.key
                ORDER BY q.key
                OFFSET 0
            ) AS q;
            got_position_of := got_position_of || more_of;
            got_position_no := got_position_no || more_pos;
            got_cell_no := got_cell_no || more_cell;
            got_position := got_position || more_key;
            got_place := got_place || more_place;
            got_set_at := got_set_at || more_set;
        END IF;
        -- First round: positions of holds. Second round: the cells of what is not a cell itself.
        FOR round IN 1 .. 2 LOOP
            CONTINUE WHEN round = 1 AND got_hold_no IS NULL;
            CONTINUE WHEN round = 2 AND got_position_no IS NOT DISTINCT FROM got_cell_no;
            IF round = 1 THEN
                SELECT array_agg(w.p), array_agg(w.no) INTO more_of, more_no
                FROM (SELECT * FROM unnest(got_hold_of, got_hold_position)
                      EXCEPT SELECT * FROM unnest(got_position_of, got_position_no)) AS w (p, no);
            ELSE
                SELECT array_agg(w.p), array_agg(w.no) INTO more_of, more_no
                FROM (SELECT * FROM unnest(got_position_of, got_cell_no)
                      EXCEPT SELECT * FROM unnest(got_position_of, got_position_no)) AS w (p, no);
            END IF;
            SELECT array_agg(w.p), array_agg(q.position_no), array_agg(q.cell_no),
                   array_agg(q.key), array_agg(q.place), array_agg(q.set_at)
            INTO more_of, more_pos, more_cell, more_key, more_place, more_set
            FROM unnest(more_of, more_no) AS w (p, no)
            CROSS JOIN LATERAL (
                SELECT q.*
                FROM position AS q
                WHERE q.k = want_k[w.p] AND q.product_id = got_product_id[w.p]
                  AND q.position_no BETWEEN w.no AND w.no
                ORDER BY q.position_no
                OFFSET 0
            ) AS q;
            got_position_of := got_position_of || more_of;
            got_position_no := got_position_no || more_pos;
            got_cell_no := got_cell_no || more_cell;
            got_position := got_position || more_key;
            got_place := got_place || more_place;
            got_set_at := got_set_at || more_set;
        END LOOP;

        SELECT array_agg(w.p), array_agg(s.position_no), array_agg(s.measure_id),
               array_agg(s.own), array_agg(s.finer), array_agg(s.held)
        INTO got_stock_of, got_stock_position, got_stock_measure, got_own, got_finer, got_held
        FROM unnest(got_position_of, got_position_no) AS w (p, no)
        CROSS JOIN LATERAL (
            SELECT s.*
            FROM stock AS s
            WHERE s.k = want_k[w.p] AND s.product_id = got_product_id[w.p] AND s.position_no = w.no
            OFFSET 0
        ) AS s;
    END IF;

    IF cardinality(want_id) > 0 THEN
        SELECT array_agg(w.ordinal::integer), array_agg(i.fingerprint), array_agg(i.accepted)
        INTO got_id_of, got_fingerprint, got_accepted
        FROM unnest(want_id_environment, want_id_kind, want_id, want_id_c)
             WITH ORDINALITY AS w (environment_no, kind, id, c, ordinal)
        CROSS JOIN LATERAL (
            SELECT i.fingerprint, i.accepted
            FROM command_id AS i
            WHERE i.environment_no = w.environment_no AND i.kind = w.kind AND i.id = w.id AND i.c = w.c
            OFFSET 0
        ) AS i;
    END IF;

    IF cardinality(want_d) > 0 THEN
        SELECT array_agg(w.ordinal::integer), array_agg(t.version), array_agg(t.body)
        INTO got_document_of, got_document_version, got_document_body
        FROM unnest(want_d, want_document_environment, want_document_kind, want_document)
             WITH ORDINALITY AS w (d, environment_no, kind, id, ordinal)
        CROSS JOIN LATERAL (
            SELECT t.version, t.body
            FROM document AS t
            WHERE t.d = w.d AND t.environment_no = w.environment_no AND t.kind = w.kind AND t.id = w.id
            OFFSET 0
        ) AS t;
    END IF;

    SELECT array_agg(e.environment_no), array_agg(e.configuration_version)
    INTO got_environment, got_configuration
    FROM environment AS e
    WHERE e.environment_no = ANY (want_environment);

    RETURN json_build_array(
        got_environment, got_configuration, got_product_id, got_version, got_next_position,
        got_next_hold, got_position_of, got_position_no, got_cell_no, got_position, got_place,
        got_set_at, got_stock_of, got_stock_position, got_stock_measure, got_own, got_finer, got_held,
        got_hold_of, got_hold_no, got_hold_position, got_hold_measure, got_hold_quantity,
        got_hold_remaining, got_hold_owner, got_hold_expires_at, got_hold_created_at, got_hold_counted,
        got_id_of, got_fingerprint, got_accepted, got_document_of, got_document_version,
        got_document_body
    );
END
$$;

CREATE FUNCTION commit_batch(
    now_us bigint,
    products  text[],
    positions text[],
    known     text[],
    levels    text[],
    times     text[],
    holds     text[],
    terms     text[],
    changes   text[],
    movements text[],
    ids       text[],
    refusals  text[],
    documents text[]
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    moment  timestamptz := timestamptz 'epoch' + now_us * interval '1 microsecond';
    written bigint;
    awaited bigint;
BEGIN
    IF cardinality(products) > 0 THEN
        UPDATE product AS p
        SET version = w.version, next_position = w.next_position, next_hold = w.next_hold
        FROM unnest(products[1]::bigint[], products[2]::bigint[], products[3]::bigint[],
                    products[4]::integer[], products[5]::bigint[])
             AS w (k, product_id, version, next_position, next_hold)
        WHERE p.k = ANY (ARRAY[w.k]) AND p.product_id = w.product_id;
        GET DIAGNOSTICS written = ROW_COUNT;
        ASSERT written = cardinality(products[1]::bigint[]), 'a locked product is missing';
    END IF;

    IF cardinality(positions) > 0 THEN
        INSERT INTO position (k, product_id, position_no, environment_no, cell_no, place, key, shown)
        SELECT w.k, w.product_id, w.position_no, w.environment_no, w.cell_no, w.place, w.key, w.shown::jsonb
        FROM unnest(positions[1]::bigint[], positions[2]::bigint[], positions[3]::integer[],
                    positions[4]::integer[], positions[5]::integer[], positions[6]::text[],
                    positions[7]::text[], positions[8]::text[])
             AS w (k, product_id, position_no, environment_no, cell_no, place, key, shown);
    END IF;

    IF cardinality(known) > 0 THEN
        UPDATE stock AS s
        SET own = w.own, finer = w.finer, held = w.held
        FROM unnest(known[1]::bigint[], known[2]::bigint[], known[3]::integer[], known[4]::integer[],
                    known[5]::bigint[], known[6]::bigint[], known[7]::bigint[])
             AS w (k, product_id, position_no, measure_id, own, finer, held)
        WHERE s.k = ANY (ARRAY[w.k]) AND s.product_id = w.product_id
          AND s.position_no = w.position_no AND s.measure_id = w.measure_id;
        GET DIAGNOSTICS written = ROW_COUNT;
        ASSERT written = cardinality(known[1]::bigint[]), 'a level that was read is missing';
    END IF;

    IF cardinality(levels) > 0 THEN
        INSERT INTO stock (k, product_id, position_no, measure_id, own, finer, held)
        SELECT *
        FROM unnest(levels[1]::bigint[], levels[2]::bigint[], levels[3]::integer[], levels[4]::integer[],
                    levels[5]::bigint[], levels[6]::bigint[], levels[7]::bigint[])
        ON CONFLICT (k, product_id, position_no, measure_id)
        DO UPDATE SET own = excluded.own, finer = excluded.finer, held = excluded.held;
    END IF;

    IF cardinality(times) > 0 THEN
        UPDATE position AS q
        SET set_at = nullif(w.set_at, 0)
        FROM unnest(times[1]::bigint[], times[2]::bigint[], times[3]::integer[], times[4]::text[],
                    times[5]::bigint[])
             AS w (k, product_id, position_no, key, set_at)
        WHERE q.k = ANY (ARRAY[w.k]) AND q.product_id = w.product_id
          AND q.position_no = w.position_no AND q.key = w.key;  -- both, so that either index leads to the row
    END IF;

    IF cardinality(holds) > 0 THEN
        INSERT INTO hold (k, product_id, hold_no, position_no, measure_id, quantity, remaining, reference, channel,
                          order_key, owner, caller, expires_at, closed_by, counted, created_at, closed_at)
        SELECT w.k, w.product_id, w.hold_no, w.position_no, w.measure_id, w.quantity, w.remaining,
               coalesce(w.reference, ''), coalesce(w.channel, ''), coalesce(w.order_key, ''), coalesce(w.owner, ''),
               w.caller, w.expires_at, w.closed_by, NOT coalesce(w.uncounted, false), now_us,
               CASE WHEN w.closed_by IS NOT NULL THEN now_us END
        FROM unnest(holds[1]::bigint[], holds[2]::bigint[], holds[3]::bigint[], holds[4]::integer[],
                    holds[5]::integer[], holds[6]::bigint[], holds[7]::bigint[], holds[8]::text[],
                    holds[9]::text[], holds[10]::text[], holds[11]::text[], holds[12]::text[],
                    holds[13]::bigint[], holds[14]::smallint[], holds[15]::boolean[])
             AS w (k, product_id, hold_no, position_no, measure_id, quantity, remaining, reference, channel,
                   order_key, owner, caller, expires_at, closed_by, uncounted);
    END IF;

    -- Before what remains: it may rise above the quantity that the hold had.
    IF cardinality(terms) > 0 THEN
        UPDATE hold AS h
        SET quantity = w.quantity, reference = w.reference, channel = w.channel, order_key = w.order_key,
            owner = w.owner, counted = w.counted
        FROM unnest(terms[1]::text[]) AS terms (of)
        CROSS JOIN LATERAL jsonb_to_record(terms.of::jsonb)
             AS w (k bigint, product_id bigint, hold_no bigint, quantity bigint, reference text, channel text,
                   order_key text, owner text, counted boolean)
        WHERE h.k = ANY (ARRAY[w.k]) AND h.product_id = w.product_id AND h.hold_no = w.hold_no;
        GET DIAGNOSTICS written = ROW_COUNT;
        ASSERT written = cardinality(terms[1]::text[]), 'a hold that was read is missing';
    END IF;

    IF cardinality(changes) > 0 THEN
        UPDATE hold AS h
        SET remaining = w.remaining, expires_at = w.expires_at, closed_by = w.closed_by,
            closed_at = CASE WHEN w.closed_by IS NOT NULL THEN now_us END
        FROM unnest(changes[1]::bigint[], changes[2]::bigint[], changes[3]::bigint[], changes[4]::bigint[],
                    changes[5]::bigint[], changes[6]::smallint[])
             AS w (k, product_id, hold_no, remaining, expires_at, closed_by)
        WHERE h.k = ANY (ARRAY[w.k]) AND h.product_id = w.product_id AND h.hold_no = w.hold_no;
        GET DIAGNOSTICS written = ROW_COUNT;
        ASSERT written = cardinality(changes[1]::bigint[]), 'a hold that was read is missing';
    END IF;

    IF cardinality(movements) > 0 THEN
        INSERT INTO movement (k, product_id, sequence, position_no, measure_id, delta, level, hold_no, kind,
                              command_id, caller, reason, at)
        SELECT w.*, moment
        FROM unnest(movements[1]::bigint[], movements[2]::bigint[], movements[3]::bigint[],
                    movements[4]::integer[], movements[5]::integer[], movements[6]::bigint[],
                    movements[7]::bigint[], movements[8]::bigint[], movements[9]::smallint[],
                    movements[10]::text[], movements[11]::text[], movements[12]::text[])
             AS w (k, product_id, sequence, position_no, measure_id, delta, level, hold_no, kind,
                   command_id, caller, reason);
    END IF;

    IF cardinality(ids) > 0 THEN
        -- Ordered by the caller: two batches that bring the same ids wait for each other in one direction only.
        INSERT INTO command_id (c, environment_no, kind, id, fingerprint, accepted, at)
        SELECT w.*, now_us
        FROM unnest(ids[1]::bigint[], ids[2]::integer[], ids[3]::smallint[], ids[4]::text[],
                    ids[5]::bigint[], ids[6]::bytea[])
             AS w (c, environment_no, kind, id, fingerprint, accepted);
    END IF;

    IF cardinality(refusals) > 0 THEN
        INSERT INTO refusal (k, product_id, kind, command_id, caller, channel, position, measure_id, requested,
                             available, reason, nodes, at)
        SELECT w.k, w.product_id, w.kind, w.command_id, w.caller, w.channel, w.position, w.measure_id, w.requested,
               w.available, w.reason, CASE w.nodes WHEN '' THEN '{}' ELSE trim_array(string_to_array(w.nodes, E'\x1f'), 1) END, moment
        FROM unnest(refusals[1]::bigint[], refusals[2]::bigint[], refusals[3]::smallint[],
                    refusals[4]::text[], refusals[5]::text[], refusals[6]::text[], refusals[7]::text[],
                    refusals[8]::integer[], refusals[9]::bigint[], refusals[10]::bigint[],
                    refusals[11]::text[], refusals[12]::text[])
             AS w (k, product_id, kind, command_id, caller, channel, position, measure_id, requested, available,
                   reason, nodes);
    END IF;

    IF cardinality(documents) > 0 THEN
        DELETE FROM document AS t
        USING unnest(documents[1]::bigint[], documents[2]::integer[], documents[3]::text[],
                    documents[4]::text[], documents[5]::bigint[], documents[6]::bigint[])
              AS w (d, environment_no, kind, id, expected, version)
        WHERE t.d = ANY (ARRAY[w.d]) AND t.environment_no = w.environment_no AND t.kind = w.kind AND t.id = w.id
          AND w.version = 0 AND t.version = w.expected;
        GET DIAGNOSTICS written = ROW_COUNT;
        awaited := cardinality(documents[1]::bigint[]) - written;
        INSERT INTO document (d, environment_no, kind, id, version, body, labels, due_at, created_at, changed_at)
        SELECT w.d, w.environment_no, w.kind, w.id, w.version, w.body,
               CASE WHEN w.labels <> '' THEN trim_array(string_to_array(w.labels, E'\x1f'), 1) ELSE '{}' END, w.due_at,
               now_us, now_us
        FROM unnest(documents[1]::bigint[], documents[2]::integer[], documents[3]::text[],
                    documents[4]::text[], documents[5]::bigint[], documents[6]::bigint[],
                    documents[8]::bigint[], documents[9]::text[], documents[10]::bytea[])
             AS w (d, environment_no, kind, id, expected, version, due_at, labels, body)
        WHERE w.expected = 0;
        GET DIAGNOSTICS written = ROW_COUNT;
        awaited := awaited - written;
        UPDATE document AS t
        SET version = w.version, body = w.body,
            labels = CASE WHEN w.labels <> '' THEN trim_array(string_to_array(w.labels, E'\x1f'), 1) ELSE '{}' END,
            due_at = w.due_at, created_at = CASE WHEN w.anew THEN now_us ELSE t.created_at END, changed_at = now_us
        FROM unnest(documents[1]::bigint[], documents[2]::integer[], documents[3]::text[],
                    documents[4]::text[], documents[5]::bigint[], documents[6]::bigint[],
                    documents[7]::boolean[], documents[8]::bigint[], documents[9]::text[],
                    documents[10]::bytea[])
             AS w (d, environment_no, kind, id, expected, version, anew, due_at, labels, body)
        WHERE t.d = ANY (ARRAY[w.d]) AND t.environment_no = w.environment_no AND t.kind = w.kind AND t.id = w.id
          AND w.expected > 0 AND w.version > 0 AND t.version = w.expected;
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> awaited THEN
            RAISE EXCEPTION 'a document is no longer at the expected version' USING ERRCODE = '40001';
        END IF;
    END IF;
END
$$;
