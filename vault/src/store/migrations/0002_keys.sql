-- Keys as records, aliases and versions. The vault's own keys (owner `vault:own`) stand among them.
-- A version without `wrapped` is destroyed, or waits for its import.
CREATE TABLE key (
    id               TEXT    NOT NULL PRIMARY KEY,
    kind             TEXT    NOT NULL,
    state            TEXT    NOT NULL,
    owner            TEXT    NOT NULL,
    origin           TEXT    NOT NULL,
    description      TEXT    NOT NULL,
    tags             TEXT    NOT NULL,
    current          INTEGER NOT NULL,
    open_from        INTEGER NOT NULL CHECK (open_from > 0),
    rotation_seconds INTEGER CHECK (rotation_seconds > 0),
    rotate_at_us     INTEGER,
    delete_at_us     INTEGER,
    created_us       INTEGER NOT NULL,
    revision         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX key_due_rotation ON key (rotate_at_us) WHERE rotate_at_us IS NOT NULL;
CREATE INDEX key_due_deletion ON key (delete_at_us) WHERE delete_at_us IS NOT NULL;
CREATE INDEX key_own ON key (owner) WHERE owner = 'vault:own';

CREATE TABLE key_alias (
    alias TEXT NOT NULL PRIMARY KEY,
    key   TEXT NOT NULL REFERENCES key (id)
) STRICT, WITHOUT ROWID;

CREATE INDEX key_alias_by_key ON key_alias (key);

CREATE TABLE key_material (
    key        TEXT    NOT NULL REFERENCES key (id),
    version    INTEGER NOT NULL CHECK (version > 0),
    state      TEXT    NOT NULL,
    wrapped    BLOB    CHECK ((wrapped IS NULL) = (state = 'destroyed')),
    created_us INTEGER NOT NULL,
    PRIMARY KEY (key, version)
) STRICT, WITHOUT ROWID;

-- Permissions to bring one key's material, once: known by a hash of what their holder has.
CREATE TABLE key_import (
    ticket     BLOB    NOT NULL PRIMARY KEY CHECK (length(ticket) = 32),
    key        TEXT    NOT NULL REFERENCES key (id),
    wrapping   TEXT    NOT NULL,
    expires_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX key_import_expiry ON key_import (expires_us);

INSERT INTO key
SELECT id, CASE usage WHEN 'mac' THEN 'hmac-sha-256' ELSE 'aes-256' END, 'active', 'vault:own', 'vault',
       '', '{}', max(version), 1, NULL, NULL, NULL, min(created_us), 1
FROM key_version GROUP BY id;

INSERT INTO key_material
SELECT id, version, 'active', wrapped, created_us FROM key_version;

DROP TABLE key_version;
