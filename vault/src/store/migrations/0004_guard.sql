-- What the guard remembers: alerts that wait for their delivery, locked units, marks of honeytokens, grants.
CREATE TABLE alert (
    id        TEXT    NOT NULL,
    hook      TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    unit      TEXT,
    domain    TEXT,
    class     TEXT,
    subject   TEXT,
    raised_us INTEGER NOT NULL,
    attempts  INTEGER NOT NULL,
    due_us    INTEGER NOT NULL,
    PRIMARY KEY (hook, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX alert_due ON alert (hook, due_us);

CREATE TABLE unit_lock (
    unit     TEXT    NOT NULL PRIMARY KEY,
    seq      INTEGER NOT NULL,
    since_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A keyed hash of a row's fingerprint, in no order but its own: without the key it names no row.
CREATE TABLE honeytoken (
    mark  BLOB    NOT NULL PRIMARY KEY CHECK (length(mark) = 16),
    locks INTEGER NOT NULL CHECK (locks IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE bulk_grant (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    unit        TEXT    NOT NULL,
    domain      TEXT    NOT NULL,
    purpose     TEXT    NOT NULL,
    classes     TEXT    NOT NULL,
    values_max  INTEGER NOT NULL CHECK (values_max > 0),
    spent       INTEGER NOT NULL CHECK (spent BETWEEN 0 AND values_max),
    ttl_seconds INTEGER NOT NULL CHECK (ttl_seconds > 0),
    approvals   INTEGER NOT NULL CHECK (approvals > 0),
    asked_us    INTEGER NOT NULL,
    ends_us     INTEGER,
    revoked     INTEGER NOT NULL CHECK (revoked IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX bulk_grant_by_unit ON bulk_grant (unit);

CREATE TABLE grant_approval (
    bulk_grant BLOB    NOT NULL REFERENCES bulk_grant (id),
    unit       TEXT    NOT NULL,
    at_us      INTEGER NOT NULL,
    PRIMARY KEY (bulk_grant, unit)
) STRICT, WITHOUT ROWID;
