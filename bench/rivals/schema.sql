-- The hand-written rival: one row per cell of a place, holds, a ledger and the accepted request ids.
-- Lean on purpose: one index each, nothing that the answer does not need.
CREATE TABLE stock (
    organization text   NOT NULL,
    product      text   NOT NULL,
    site         text   NOT NULL,
    location     text   NOT NULL,
    color        text   NOT NULL,
    size         text   NOT NULL,
    on_hand      bigint NOT NULL,
    reserved     bigint NOT NULL,
    PRIMARY KEY (organization, product, site, location, color, size)
) WITH (fillfactor = 70);

CREATE TABLE hold (
    hold_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization text   NOT NULL,
    product      text   NOT NULL,
    site         text   NOT NULL,
    location     text   NOT NULL,
    color        text   NOT NULL,
    size         text   NOT NULL,
    quantity     bigint NOT NULL,
    request_id   text   NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE ledger (
    ledger_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT now(),
    organization text   NOT NULL,
    product      text   NOT NULL,
    site         text   NOT NULL,
    location     text   NOT NULL,
    color        text   NOT NULL,
    size         text   NOT NULL,
    delta        bigint NOT NULL,
    level        bigint NOT NULL,
    hold_id      bigint NOT NULL,
    request_id   text   NOT NULL
);

CREATE TABLE request (
    request_id text PRIMARY KEY,
    available  bigint NOT NULL,
    hold_id    bigint NOT NULL,
    at         timestamptz NOT NULL DEFAULT now()
);

-- One call, one transaction. Locks the place first and reads in later statements, so that what a concurrent
-- transaction committed while this one waited is seen (READ COMMITTED). Checks the cell, its colour and the
-- place: what is on hand there less what is reserved there and below. All writes are one statement, which was
-- up to a tenth faster than five.
CREATE FUNCTION reserve(
    v_request text, v_organization text, v_product text, v_site text, v_location text, v_color text, v_size text,
    v_quantity bigint, OUT accepted boolean, OUT available bigint, OUT hold bigint
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM stock s
     WHERE s.organization = v_organization AND s.product = v_product AND s.site = v_site AND s.location = v_location
     ORDER BY s.color, s.size FOR UPDATE;

    SELECT r.available, r.hold_id INTO available, hold FROM request r WHERE r.request_id = v_request;
    IF FOUND THEN
        accepted := true;
        RETURN;
    END IF;

    SELECT least(
             coalesce(sum(s.on_hand - s.reserved) FILTER (WHERE s.color = v_color AND s.size = v_size), 0),
             coalesce(sum(s.on_hand - s.reserved) FILTER (WHERE s.color = v_color), 0),
             coalesce(sum(s.on_hand - s.reserved), 0)) INTO available
      FROM stock s
     WHERE s.organization = v_organization AND s.product = v_product AND s.site = v_site AND s.location = v_location;
    accepted := available >= v_quantity;
    IF NOT accepted THEN
        RETURN;
    END IF;
    available := available - v_quantity;

    WITH level AS (
        UPDATE stock s SET reserved = s.reserved + v_quantity
         WHERE s.organization = v_organization AND s.product = v_product AND s.site = v_site
           AND s.location = v_location AND s.color = v_color AND s.size = v_size
        RETURNING s.reserved
    ), held AS (
        INSERT INTO hold (organization, product, site, location, color, size, quantity, request_id)
        VALUES (v_organization, v_product, v_site, v_location, v_color, v_size, v_quantity, v_request)
        RETURNING hold_id
    ), line AS (
        INSERT INTO ledger (organization, product, site, location, color, size, delta, level, hold_id, request_id)
        SELECT v_organization, v_product, v_site, v_location, v_color, v_size, v_quantity, level.reserved,
               held.hold_id, v_request
          FROM level, held
    )
    INSERT INTO request (request_id, available, hold_id)
    SELECT v_request, available, held.hold_id FROM held
    RETURNING hold_id INTO hold;
END $$;
