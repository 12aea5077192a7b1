-- The engine's tables. Rules (docs/ARCHITECTURE.md, "Storage"):
--   * k is the shard key of a product, c that of a command id, d that of a document; each unique key of a
--     partition table contains it, so that the same schema can be distributed later;
--   * quantities are bigint, scaled by 1,000,000; times in hot tables are bigint microseconds since 1970;
--   * names are stored folded where they are compared, and as first seen where they are shown; keys compare
--     by bytes ("C"), whatever the database's collation: faster, and the same order everywhere.

-- Reference tables ------------------------------------------------------------------------------------------

CREATE TABLE environment (
    environment_no        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment_id        text    NOT NULL UNIQUE CHECK (environment_id = lower(environment_id)),
    configuration_version bigint  NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE configuration (
    environment_no integer NOT NULL REFERENCES environment,
    version        bigint  NOT NULL,
    document       jsonb   NOT NULL,
    switches       jsonb   NOT NULL,
    applied_at     timestamptz NOT NULL DEFAULT now(),
    applied_by     text    NOT NULL,
    reason         text    NOT NULL DEFAULT '',
    PRIMARY KEY (environment_no, version)
);

-- Ids of measures are given once and never reused, so that the ledger stays readable.
CREATE TABLE measure (
    environment_no integer NOT NULL REFERENCES environment,
    measure_id     integer NOT NULL,
    source         text    NOT NULL,
    name           text    NOT NULL,
    PRIMARY KEY (environment_no, measure_id),
    UNIQUE (environment_no, source, name)
);

CREATE TABLE client (
    client_id    text PRIMARY KEY,
    secret_hash  text   NOT NULL,
    environments text[] NOT NULL,
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    disabled_at  timestamptz
);

CREATE TABLE signing_key (
    key_id     text PRIMARY KEY,
    jwk        jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retires_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE job (
    job_id         text PRIMARY KEY,
    environment_no integer NOT NULL REFERENCES environment,
    kind           text    NOT NULL,
    parameters     jsonb   NOT NULL,
    status         text    NOT NULL CHECK (status IN ('Queued', 'Running', 'Succeeded', 'Failed')),
    progress       smallint NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    message        text    NOT NULL DEFAULT '',
    requested_by   text    NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);

-- Partition tables: by product ------------------------------------------------------------------------------

-- The lock unit. product_id is an opaque handle that keeps the other tables narrow.
CREATE TABLE product (
    k                bigint  NOT NULL,
    environment_no   integer NOT NULL,
    organization_key text COLLATE "C"    NOT NULL,
    product_key      text COLLATE "C"    NOT NULL,
    product_id       bigint  GENERATED ALWAYS AS IDENTITY,
    organization     text    NOT NULL,
    product          text    NOT NULL,
    version          bigint  NOT NULL DEFAULT 0,
    next_position    integer NOT NULL DEFAULT 1,
    next_hold        bigint  NOT NULL DEFAULT 1,
    PRIMARY KEY (k, environment_no, organization_key, product_key),
    UNIQUE (k, product_id)
) WITH (fillfactor = 70);
CREATE INDEX product_name ON product (environment_no, product_key, organization_key);

-- Dictionary of the dimension values that were ever used. Hardly ever updated, so cells are read from the index alone. A cell is a position with cell_no = position_no.
CREATE TABLE position (
    k              bigint  NOT NULL,
    product_id     bigint  NOT NULL,
    position_no    integer NOT NULL,
    environment_no integer NOT NULL,
    cell_no        integer NOT NULL,
    place          text COLLATE "C"    NOT NULL,
    key            text COLLATE "C"    NOT NULL,
    shown          jsonb   NOT NULL,
    set_at         bigint,
    PRIMARY KEY (k, product_id, position_no),
    UNIQUE (k, product_id, key)
);
CREATE INDEX position_cells ON position (k, product_id, place) INCLUDE (position_no, cell_no, key, set_at)
    WHERE cell_no = position_no;
CREATE INDEX position_place ON position (environment_no, place);
CREATE INDEX position_cell_key ON position (environment_no, key, k, product_id) WHERE cell_no = position_no;

CREATE TABLE stock (
    k           bigint  NOT NULL,
    product_id  bigint  NOT NULL,
    position_no integer NOT NULL,
    measure_id  integer NOT NULL,
    own         bigint  NOT NULL,
    finer       bigint  NOT NULL DEFAULT 0,
    held        bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (k, product_id, position_no, measure_id)
) WITH (fillfactor = 70);

CREATE TABLE hold (
    k           bigint  NOT NULL,
    product_id  bigint  NOT NULL,
    hold_no     bigint  NOT NULL,
    position_no integer NOT NULL,
    measure_id  integer NOT NULL,
    quantity    bigint  NOT NULL CHECK (quantity > 0),
    remaining   bigint  NOT NULL CHECK (remaining BETWEEN 0 AND quantity),
    reference   text    NOT NULL DEFAULT '',
    channel     text    NOT NULL DEFAULT '',
    order_key   text    NOT NULL DEFAULT '',
    owner       text COLLATE "C"    NOT NULL DEFAULT '',
    caller      text    NOT NULL,
    expires_at  bigint,
    created_at  bigint  NOT NULL,
    closed_at   bigint,
    closed_by   smallint,
    PRIMARY KEY (k, product_id, hold_no)
) WITH (fillfactor = 80);
CREATE INDEX hold_open ON hold (k, product_id, position_no, measure_id, owner, hold_no) WHERE remaining > 0;
CREATE INDEX hold_due ON hold (k, product_id, expires_at) WHERE remaining > 0 AND expires_at IS NOT NULL;
CREATE INDEX hold_created ON hold (created_at);
CREATE INDEX hold_reference ON hold (reference) WHERE reference <> '';

-- The ledger: append only, no uniqueness, one partition a month.
CREATE TABLE movement (
    k           bigint   NOT NULL,
    product_id  bigint   NOT NULL,
    sequence    bigint   NOT NULL,
    at          timestamptz NOT NULL,
    position_no integer  NOT NULL,
    measure_id  integer  NOT NULL,
    delta       bigint   NOT NULL,
    level       bigint   NOT NULL,
    hold_no     bigint,
    kind        smallint NOT NULL,
    command_id  text     NOT NULL,
    caller      text     NOT NULL,
    reason      text
) PARTITION BY RANGE (at);
CREATE INDEX movement_product ON movement (k, product_id, sequence);
CREATE TABLE movement_default PARTITION OF movement DEFAULT;

CREATE TABLE refusal (
    k           bigint   NOT NULL,
    product_id  bigint   NOT NULL,
    at          timestamptz NOT NULL,
    kind        smallint NOT NULL,
    command_id  text     NOT NULL,
    caller      text     NOT NULL,
    channel     text     NOT NULL,
    position    text     NOT NULL,
    measure_id  integer  NOT NULL,
    requested   bigint   NOT NULL,
    available   bigint   NOT NULL,
    reason      text     NOT NULL,
    nodes       text[]   NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX refusal_at ON refusal (at);
CREATE TABLE refusal_default PARTITION OF refusal DEFAULT;

-- Partition tables: by their own key ------------------------------------------------------------------------

-- The hash comes last in the key so that time-ordered ids arrive at the right edge of the index (ADR 0004).
CREATE TABLE command_id (
    c              bigint   NOT NULL,
    environment_no integer  NOT NULL,
    kind           smallint NOT NULL,
    id             text COLLATE "C"     NOT NULL,
    fingerprint    bigint   NOT NULL,
    accepted       bytea    NOT NULL,
    at             bigint   NOT NULL,
    PRIMARY KEY (environment_no, kind, id, c)
);
-- Rows arrive in the order of time, so a summary of block ranges finds the old ones and costs the hot path nothing.
CREATE INDEX command_id_at ON command_id USING brin (at);

-- Documents that commit with stock: orders, ERP lines.
CREATE TABLE document (
    d              bigint  NOT NULL,
    environment_no integer NOT NULL,
    kind           text COLLATE "C"    NOT NULL,
    id             text COLLATE "C"    NOT NULL,
    version        bigint  NOT NULL,
    body           bytea   NOT NULL,
    PRIMARY KEY (d, environment_no, kind, id)
);
