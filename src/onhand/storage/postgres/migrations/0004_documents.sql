-- Documents can be found by labels and time, and say when work on them is due; holds belong to orders.
--
-- The two functions of the hot path are made anew as a whole, because their arguments change; what 0002_unit.sql says
-- about them holds here. A batch without documents and without changed terms of holds runs the same statements as before.

ALTER TABLE document
    ADD COLUMN labels     text[] NOT NULL DEFAULT '{}',
    ADD COLUMN due_at     bigint,
    ADD COLUMN created_at bigint NOT NULL DEFAULT 0,
    ADD COLUMN changed_at bigint NOT NULL DEFAULT 0;
CREATE INDEX document_labels ON document USING gin (labels);
-- Partial, so that the hot path, which does not speak of that time, never takes it for the primary key.
CREATE INDEX document_created ON document (environment_no, kind, created_at, id) WHERE created_at >= 0;
-- Background work is claimed across environments.
CREATE INDEX document_due ON document (kind, due_at, id) WHERE due_at IS NOT NULL;

-- Whether the order that the hold belongs to is open, so that the hold counts when reservations are recalculated.
ALTER TABLE hold ADD COLUMN counted boolean NOT NULL DEFAULT true;
CREATE INDEX hold_order ON hold (order_key) WHERE order_key <> '';

DROP FUNCTION gather_batch;
DROP FUNCTION commit_batch;

CREATE FUNCTION gather_batch(
    now_us                   bigint,
    want_environment         integer[],   -- ascending
    -- products in ascending key order; "_of" columns below are ordinals (from 1) into these arrays
    want_k                   bigint[],
    want_product_environment integer[],
    want_organization        text[],
    want_product             text[],
    want_place_of            integer[],
    want_place               text[],
    want_whole_of            integer[],
    want_position_of         integer[],
    want_position            text[],
    want_hold_of             integer[],
    want_hold                bigint[],
    want_query_of            integer[],
    want_query_position      text[],
    want_query_measure       integer[],
    want_query_owner         text[],
    want_query_quantity      bigint[],
    want_open_of             integer[],
    want_open_place          text[],      -- null: all places
    want_record_of           integer[],
    want_record_place        text[],      -- null: all places
    want_id_environment      integer[],
    want_id_kind             smallint[],
    want_id                  text[],
    want_id_c                bigint[],
    -- documents in ascending key order
    want_d                   bigint[],
    want_document_environment integer[],
    want_document_kind       text[],
    want_document            text[],
    OUT got_environment      integer[],
    OUT got_configuration    bigint[],
    OUT got_product_id       bigint[],
    OUT got_version          bigint[],
    OUT got_next_position    integer[],
    OUT got_next_hold        bigint[],
    OUT got_position_of      integer[],
    OUT got_position_no      integer[],
    OUT got_cell_no          integer[],
    OUT got_position         text[],
    OUT got_place            text[],
    OUT got_set_at           bigint[],
    OUT got_stock_of         integer[],
    OUT got_stock_position   integer[],
    OUT got_stock_measure    integer[],
    OUT got_own              bigint[],
    OUT got_finer            bigint[],
    OUT got_held             bigint[],
    OUT got_hold_of          integer[],
    OUT got_hold_no          bigint[],
    OUT got_hold_position    integer[],
    OUT got_hold_measure     integer[],
    OUT got_hold_quantity    bigint[],
    OUT got_hold_remaining   bigint[],
    OUT got_hold_owner       text[],
    OUT got_hold_expires_at  bigint[],
    OUT got_hold_created_at  bigint[],
    OUT got_hold_counted     boolean[],
    OUT got_id_of            integer[],
    OUT got_fingerprint      bigint[],
    OUT got_accepted         bytea[],
    OUT got_document_of      integer[],
    OUT got_document_version bigint[],
    OUT got_document_body    bytea[]
)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET enable_incremental_sort = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
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
            got_product_id := NULL;  -- a product is new: the caller rolls back, ensures the rows and asks again
            RETURN;
        END IF;

        -- Holds that were asked for by query; then all of them by number, with those that are due.
        FOR ordinal IN 1 .. cardinality(want_query_of) LOOP
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
END
$$;

CREATE FUNCTION commit_batch(
    now_us              bigint,
    product_k           bigint[],
    product_id          bigint[],
    product_version     bigint[],
    product_position    integer[],
    product_hold        bigint[],
    position_k          bigint[],
    position_product    bigint[],
    position_no         integer[],
    position_environment integer[],
    position_cell       integer[],
    position_place      text[],
    position_key        text[],
    position_shown      text[],
    -- levels whose row is known to exist
    known_k             bigint[],
    known_product       bigint[],
    known_position      integer[],
    known_measure       integer[],
    known_own           bigint[],
    known_finer         bigint[],
    known_held          bigint[],
    -- levels that may be new
    level_k             bigint[],
    level_product       bigint[],
    level_position      integer[],
    level_measure       integer[],
    level_own           bigint[],
    level_finer         bigint[],
    level_held          bigint[],
    set_k               bigint[],
    set_product         bigint[],
    set_position        integer[],
    set_key             text[],
    set_time            bigint[],
    hold_k              bigint[],
    hold_product        bigint[],
    hold_no             bigint[],
    hold_position       integer[],
    hold_measure        integer[],
    hold_quantity       bigint[],
    hold_remaining      bigint[],
    hold_reference      text[],
    hold_channel        text[],
    hold_order          text[],
    hold_owner          text[],
    hold_caller         text[],
    hold_expires        bigint[],
    hold_closed_by      smallint[],
    hold_uncounted      boolean[],
    hold_terms          text[],   -- a JSON object each: quantity, owner and mark of a stored hold; hardly ever any
    changed_k           bigint[],
    changed_product     bigint[],
    changed_hold        bigint[],
    changed_remaining   bigint[],
    changed_expires     bigint[],
    changed_closed_by   smallint[],
    movement_k          bigint[],
    movement_product    bigint[],
    movement_sequence   bigint[],
    movement_position   integer[],
    movement_measure    integer[],
    movement_delta      bigint[],
    movement_level      bigint[],
    movement_hold       bigint[],
    movement_kind       smallint[],
    movement_command    text[],
    movement_caller     text[],
    movement_reason     text[],
    id_c                bigint[],
    id_environment      integer[],
    id_kind             smallint[],
    id_text             text[],
    id_fingerprint      bigint[],
    id_accepted         bytea[],
    refusal_k           bigint[],
    refusal_product     bigint[],
    refusal_kind        smallint[],
    refusal_command     text[],
    refusal_caller      text[],
    refusal_channel     text[],
    refusal_position    text[],
    refusal_measure     integer[],
    refusal_requested   bigint[],
    refusal_available   bigint[],
    refusal_reason      text[],
    refusal_nodes       text[],   -- each followed by U+001F, which no position key contains
    document_d          bigint[],
    document_environment integer[],
    document_kind       text[],
    document_id         text[],
    document_expected   bigint[], -- 0: new
    document_version    bigint[], -- 0: to be deleted
    document_anew       boolean[], -- deleted and made anew
    document_due        bigint[],
    document_labels     text[],   -- each followed by U+001F
    document_body       bytea[]
) RETURNS void
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET enable_incremental_sort = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    moment  timestamptz := timestamptz 'epoch' + now_us * interval '1 microsecond';
    written bigint;
    awaited bigint;
BEGIN
    IF cardinality(product_k) > 0 THEN
        UPDATE product AS p
        SET version = w.version, next_position = w.next_position, next_hold = w.next_hold
        FROM unnest(product_k, commit_batch.product_id, product_version, product_position, product_hold)
             AS w (k, product_id, version, next_position, next_hold)
        WHERE p.k = ANY (ARRAY[w.k]) AND p.product_id = w.product_id;
        GET DIAGNOSTICS written = ROW_COUNT;
        ASSERT written = cardinality(product_k), 'a locked product is missing';
    END IF;

    IF cardinality(position_k) > 0 THEN
        INSERT INTO position (k, product_id, position_no, environment_no, cell_no, place, key, shown)
        SELECT w.k, w.product_id, w.position_no, w.environment_no, w.cell_no, w.place, w.key, w.shown::jsonb
        FROM unnest(position_k, position_product, commit_batch.position_no, position_environment, position_cell,
                    position_place, position_key, position_shown)
             AS w (k, product_id, position_no, environment_no, cell_no, place, key, shown);
    END IF;

    IF cardinality(known_k) > 0 THEN
        UPDATE stock AS s
        SET own = w.own, finer = w.finer, held = w.held
        FROM unnest(known_k, known_product, known_position, known_measure, known_own, known_finer, known_held)
             AS w (k, product_id, position_no, measure_id, own, finer, held)
        WHERE s.k = ANY (ARRAY[w.k]) AND s.product_id = w.product_id
          AND s.position_no = w.position_no AND s.measure_id = w.measure_id;
        GET DIAGNOSTICS written = ROW_COUNT;
        ASSERT written = cardinality(known_k), 'a level that was read is missing';
    END IF;

    IF cardinality(level_k) > 0 THEN
        INSERT INTO stock (k, product_id, position_no, measure_id, own, finer, held)
        SELECT *
        FROM unnest(level_k, level_product, level_position, level_measure, level_own, level_finer, level_held)
        ON CONFLICT (k, product_id, position_no, measure_id)
        DO UPDATE SET own = excluded.own, finer = excluded.finer, held = excluded.held;
    END IF;

    IF cardinality(set_k) > 0 THEN
        UPDATE position AS q
        SET set_at = nullif(w.set_at, 0)
        FROM unnest(set_k, set_product, set_position, set_key, set_time)
             AS w (k, product_id, position_no, key, set_at)
        WHERE q.k = ANY (ARRAY[w.k]) AND q.product_id = w.product_id
          AND q.position_no = w.position_no AND q.key = w.key;  -- both, so that either index leads to the row
    END IF;

    IF cardinality(hold_k) > 0 THEN
        INSERT INTO hold (k, product_id, hold_no, position_no, measure_id, quantity, remaining, reference, channel,
                          order_key, owner, caller, expires_at, closed_by, counted, created_at, closed_at)
        SELECT w.k, w.product_id, w.hold_no, w.position_no, w.measure_id, w.quantity, w.remaining,
               coalesce(w.reference, ''), coalesce(w.channel, ''), coalesce(w.order_key, ''), coalesce(w.owner, ''),
               w.caller, w.expires_at, w.closed_by, NOT coalesce(w.uncounted, false), now_us,
               CASE WHEN w.closed_by IS NOT NULL THEN now_us END
        FROM unnest(hold_k, hold_product, commit_batch.hold_no, hold_position, hold_measure, hold_quantity,
                    hold_remaining, hold_reference, hold_channel, hold_order, hold_owner, hold_caller, hold_expires,
                    hold_closed_by, hold_uncounted)
             AS w (k, product_id, hold_no, position_no, measure_id, quantity, remaining, reference, channel,
                   order_key, owner, caller, expires_at, closed_by, uncounted);
    END IF;

    -- Before what remains: it may rise above the quantity that the hold had.
    IF cardinality(hold_terms) > 0 THEN
        UPDATE hold AS h
        SET quantity = w.quantity, reference = w.reference, channel = w.channel, order_key = w.order_key,
            owner = w.owner, counted = w.counted
        FROM unnest(hold_terms) AS terms (of)
        CROSS JOIN LATERAL jsonb_to_record(terms.of::jsonb)
             AS w (k bigint, product_id bigint, hold_no bigint, quantity bigint, reference text, channel text,
                   order_key text, owner text, counted boolean)
        WHERE h.k = ANY (ARRAY[w.k]) AND h.product_id = w.product_id AND h.hold_no = w.hold_no;
        GET DIAGNOSTICS written = ROW_COUNT;
        ASSERT written = cardinality(hold_terms), 'a hold that was read is missing';
    END IF;

    IF cardinality(changed_k) > 0 THEN
        UPDATE hold AS h
        SET remaining = w.remaining, expires_at = w.expires_at, closed_by = w.closed_by,
            closed_at = CASE WHEN w.closed_by IS NOT NULL THEN now_us END
        FROM unnest(changed_k, changed_product, changed_hold, changed_remaining, changed_expires, changed_closed_by)
             AS w (k, product_id, hold_no, remaining, expires_at, closed_by)
        WHERE h.k = ANY (ARRAY[w.k]) AND h.product_id = w.product_id AND h.hold_no = w.hold_no;
        GET DIAGNOSTICS written = ROW_COUNT;
        ASSERT written = cardinality(changed_k), 'a hold that was read is missing';
    END IF;

    IF cardinality(movement_k) > 0 THEN
        INSERT INTO movement (k, product_id, sequence, position_no, measure_id, delta, level, hold_no, kind,
                              command_id, caller, reason, at)
        SELECT w.*, moment
        FROM unnest(movement_k, movement_product, movement_sequence, movement_position, movement_measure,
                    movement_delta, movement_level, movement_hold, movement_kind, movement_command,
                    movement_caller, movement_reason)
             AS w (k, product_id, sequence, position_no, measure_id, delta, level, hold_no, kind,
                   command_id, caller, reason);
    END IF;

    IF cardinality(id_c) > 0 THEN
        -- Ordered by the caller: two batches that bring the same ids wait for each other in one direction only.
        INSERT INTO command_id (c, environment_no, kind, id, fingerprint, accepted, at)
        SELECT w.*, now_us
        FROM unnest(id_c, id_environment, id_kind, id_text, id_fingerprint, id_accepted)
             AS w (c, environment_no, kind, id, fingerprint, accepted);
    END IF;

    IF cardinality(refusal_k) > 0 THEN
        INSERT INTO refusal (k, product_id, kind, command_id, caller, channel, position, measure_id, requested,
                             available, reason, nodes, at)
        SELECT w.k, w.product_id, w.kind, w.command_id, w.caller, w.channel, w.position, w.measure_id, w.requested,
               w.available, w.reason, CASE w.nodes WHEN '' THEN '{}' ELSE trim_array(string_to_array(w.nodes, E'\x1f'), 1) END, moment
        FROM unnest(refusal_k, refusal_product, refusal_kind, refusal_command, refusal_caller, refusal_channel,
                    refusal_position, refusal_measure, refusal_requested, refusal_available, refusal_reason,
                    refusal_nodes)
             AS w (k, product_id, kind, command_id, caller, channel, position, measure_id, requested, available,
                   reason, nodes);
    END IF;

    IF cardinality(document_d) > 0 THEN
        DELETE FROM document AS t
        USING unnest(document_d, document_environment, document_kind, document_id, document_expected,
                     document_version)
              AS w (d, environment_no, kind, id, expected, version)
        WHERE t.d = ANY (ARRAY[w.d]) AND t.environment_no = w.environment_no AND t.kind = w.kind AND t.id = w.id
          AND w.version = 0 AND t.version = w.expected;
        GET DIAGNOSTICS written = ROW_COUNT;
        awaited := cardinality(document_d) - written;
        INSERT INTO document (d, environment_no, kind, id, version, body, labels, due_at, created_at, changed_at)
        SELECT w.d, w.environment_no, w.kind, w.id, w.version, w.body,
               CASE WHEN w.labels <> '' THEN trim_array(string_to_array(w.labels, E'\x1f'), 1) ELSE '{}' END, w.due_at,
               now_us, now_us
        FROM unnest(document_d, document_environment, document_kind, document_id, document_expected,
                    document_version, document_due, document_labels, document_body)
             AS w (d, environment_no, kind, id, expected, version, due_at, labels, body)
        WHERE w.expected = 0;
        GET DIAGNOSTICS written = ROW_COUNT;
        awaited := awaited - written;
        UPDATE document AS t
        SET version = w.version, body = w.body,
            labels = CASE WHEN w.labels <> '' THEN trim_array(string_to_array(w.labels, E'\x1f'), 1) ELSE '{}' END,
            due_at = w.due_at, created_at = CASE WHEN w.anew THEN now_us ELSE t.created_at END, changed_at = now_us
        FROM unnest(document_d, document_environment, document_kind, document_id, document_expected,
                    document_version, document_anew, document_due, document_labels, document_body)
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
