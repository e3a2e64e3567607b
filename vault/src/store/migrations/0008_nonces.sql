-- Nonces of signed requests, from when a request was let in until its signature has stopped counting. The key makes a
-- replay a conflict, whichever node it comes to, and before or after a restart.
CREATE TABLE nonce (
    unit       TEXT    NOT NULL,
    -- SHA-256 of the nonce, cut.
    hash       BLOB    NOT NULL CHECK (length(hash) = 16),
    expires_us INTEGER NOT NULL,
    PRIMARY KEY (unit, hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX nonce_expiry ON nonce (expires_us);

-- How many of each unit's stand: counted here, so that a full one is refused without counting rows.
CREATE TABLE nonce_count (
    unit     TEXT    NOT NULL PRIMARY KEY,
    standing INTEGER NOT NULL CHECK (standing >= 0)
) STRICT, WITHOUT ROWID;

-- When the database came back from a backup: nonces that were taken since the backup are not in it, so signatures made
-- before this count no longer.
CREATE TABLE nonce_floor (
    only     INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    since_us INTEGER NOT NULL
) STRICT;
