-- Writes a batch that took reservations and did nothing else (`reserving.py`, where the parameters are). A reservation is a
-- hold, its first movement and its command id, made from the same row. 3 is `Kind.RESERVE`.
-- The counters come first: they lock the products, in the order of their keys, and find those that have changed since
-- they were read. A batch that was gathered under these locks cannot find any; for one that was decided without them
-- this is the proof (ADR 27).
WITH taken AS MATERIALIZED (
    -- In the order of their ids: two batches that bring the same ids wait for each other in one direction only.
    SELECT *
    FROM unnest($2::bigint[], $3::bigint[], $4::integer[], $5::text[], $6::bigint[], $7::bigint[], $8::bytea[],
                $9::bigint[], $10::integer[], $11::integer[], $12::bigint[], $13::bigint[], $14::bigint[],
                $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::bigint[])
         AS t (k, product_id, environment_no, id, c, fingerprint, accepted, hold_no, position_no, measure_id,
               quantity, sequence, level, caller, reference, channel, order_key, owner, expires_at)
), counters AS (
    UPDATE product AS p
    SET version = w.version, next_hold = w.next_hold
    FROM unnest($21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $39::bigint[])
         AS w (k, product_id, version, next_hold, was)
    WHERE p.k = ANY (ARRAY[w.k]) AND p.product_id = w.product_id AND p.version = w.was
    RETURNING p.product_id
), known AS (
    UPDATE stock AS s
    SET own = w.own, finer = w.finer, held = w.held
    FROM unnest($25::bigint[], $26::bigint[], $27::integer[], $28::integer[], $29::bigint[], $30::bigint[],
                $31::bigint[])
         AS w (k, product_id, position_no, measure_id, own, finer, held)
    WHERE s.k = ANY (ARRAY[w.k]) AND s.product_id = w.product_id
      AND s.position_no = w.position_no AND s.measure_id = w.measure_id
    RETURNING s.k
), first AS (
    -- Levels that were read as absent at the version that the product still has: nobody can have made them since.
    INSERT INTO stock (k, product_id, position_no, measure_id, own, finer, held)
    SELECT *
    FROM unnest($32::bigint[], $33::bigint[], $34::integer[], $35::integer[], $36::bigint[], $37::bigint[],
                $38::bigint[])
), holds AS (
    INSERT INTO hold (k, product_id, hold_no, position_no, measure_id, quantity, remaining, reference, channel,
                      order_key, owner, caller, expires_at, created_at)
    SELECT k, product_id, hold_no, position_no, measure_id, quantity, quantity, coalesce(reference, ''),
           coalesce(channel, ''), coalesce(order_key, ''), coalesce(owner, ''), caller, expires_at, $1::bigint
    FROM taken
), movements AS (
    INSERT INTO movement (k, product_id, sequence, position_no, measure_id, delta, level, hold_no, kind, command_id,
                          caller, at)
    SELECT k, product_id, sequence, position_no, measure_id, quantity, level, hold_no, 3, id, caller,
           timestamptz 'epoch' + $1::bigint * interval '1 microsecond'
    FROM taken
), ids AS (
    INSERT INTO command_id (c, environment_no, kind, id, fingerprint, accepted, at)
    SELECT c, environment_no, 3, id, fingerprint, accepted, $1::bigint
    FROM taken
)
SELECT CASE
    WHEN (SELECT count(*) FROM counters) <> cardinality($21::bigint[]) THEN stale((
        SELECT array_agg(w.ordinal)
        FROM unnest($22::bigint[]) WITH ORDINALITY AS w (product_id, ordinal)
        WHERE NOT EXISTS (SELECT FROM counters AS c WHERE c.product_id = w.product_id)
    ))
    WHEN EXISTS (
        SELECT
        FROM unnest($40::integer[], $41::integer[]) AS w (environment_no, version)
        WHERE NOT EXISTS (
            SELECT FROM environment AS e
            WHERE e.environment_no = w.environment_no AND e.configuration_version = w.version)
    ) THEN stale('{}')
    WHEN (SELECT count(*) FROM known) <> cardinality($25::bigint[]) THEN contradiction('a level that was read is missing')
END
