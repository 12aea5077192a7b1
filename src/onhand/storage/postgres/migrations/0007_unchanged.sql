-- Ends a statement that was decided on what is no longer so (ADR 27). The detail has the ordinals of the products that have
-- changed since; empty when it was the configuration.
CREATE FUNCTION stale(ordinals bigint[]) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'decided on what has changed' USING ERRCODE = 'OH001', DETAIL = array_to_string(ordinals, ',');
END
$$;
