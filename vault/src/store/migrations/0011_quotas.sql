-- What units have taken of their quotas, a lease at a time: written before any of it is given out.
CREATE TABLE quota (
    unit    TEXT    NOT NULL,
    -- A group of routes, or `all`.
    scope   TEXT    NOT NULL,
    -- A day (2026-11-28) or a month (2026-11) of the unit's zone.
    period  TEXT    NOT NULL,
    ends_us INTEGER NOT NULL,
    taken   INTEGER NOT NULL CHECK (taken >= 0),
    PRIMARY KEY (unit, scope, period)
) STRICT, WITHOUT ROWID;
