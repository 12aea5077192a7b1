-- When the work by the clock is due, and which process does it now (storage/postgres/schedule.py).

CREATE TABLE schedule (
    name       text PRIMARY KEY,
    due_at     timestamptz NOT NULL DEFAULT now(),
    claim      uuid,
    claimed_to timestamptz,
    started_at timestamptz,
    ended_at   timestamptz,
    CHECK ((claim IS NULL) = (claimed_to IS NULL))
);
