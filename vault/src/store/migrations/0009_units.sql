-- Units that are registered, what is proposed of them, and as of which entry the registry is known to be whole.
-- Every row carries a keyed tag: whoever writes the database alone registers nobody.
CREATE TABLE registered_unit (
    name       TEXT    NOT NULL PRIMARY KEY,
    revision   INTEGER NOT NULL CHECK (revision > 0),
    document   TEXT    NOT NULL,
    salt       BLOB    NOT NULL CHECK (length(salt) = 16),
    changed_us INTEGER NOT NULL,
    tag        BLOB    NOT NULL CHECK (length(tag) = 32)
) STRICT, WITHOUT ROWID;

CREATE TABLE unit_proposal (
    id      BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    unit    TEXT    NOT NULL UNIQUE,
    body    TEXT    NOT NULL,
    made_us INTEGER NOT NULL,
    tag     BLOB    NOT NULL CHECK (length(tag) = 32)
) STRICT, WITHOUT ROWID;

-- The one row: no entry before `seq` says more of units than `digest`, a digest of all rows, has in it.
CREATE TABLE unit_registry (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    seq    INTEGER NOT NULL,
    digest BLOB    NOT NULL CHECK (length(digest) = 32),
    latest BLOB    NOT NULL CHECK (length(latest) = 32),
    tag    BLOB    NOT NULL CHECK (length(tag) = 32)
) STRICT;
