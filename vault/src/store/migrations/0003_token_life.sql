-- Tokens with a life, and values that can be erased for good: each row needs a shred key of its own, which
-- lies in a file beside the database and in none of its backups. Rows of earlier builds have none: they
-- can't be taken over, and the database is left as it was.
DROP INDEX token_by_value;
ALTER TABLE token RENAME TO token_before;

CREATE TABLE token (
    fingerprint  BLOB    NOT NULL UNIQUE CHECK (length(fingerprint) = 16),
    domain       TEXT    NOT NULL,
    class        TEXT    NOT NULL,
    created_us   INTEGER NOT NULL,
    -- Place of its shred key.
    shred        INTEGER NOT NULL CHECK (shred >= 0),
    sealed       BLOB    NOT NULL,
    -- 1: the token's text is a share of the row's key.
    bound        INTEGER NOT NULL CHECK (bound IN (0, 1)),
    -- 1: switched off.
    disabled     INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    expires_us   INTEGER,
    uses_left    INTEGER CHECK (uses_left >= 0),
    blind_index  BLOB    CHECK (blind_index IS NULL OR length(blind_index) = 16),
    sealed_token BLOB    CHECK ((sealed_token IS NULL) = (blind_index IS NULL)),
    -- Which version of the class's normal form the index is made of.
    normal_form  INTEGER CHECK ((normal_form IS NULL) = (blind_index IS NULL)),
    -- 0: the token that an equal value gets. Others of the same value have a number of their own.
    nth          INTEGER CHECK ((nth IS NULL) = (blind_index IS NULL))
) STRICT;

INSERT INTO token
SELECT fingerprint, domain, class, created_us, NULL, sealed, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL
FROM token_before;

DROP TABLE token_before;

-- The index is made under the domain's key, with the class: neither need stand in it again.
CREATE UNIQUE INDEX token_by_value ON token (blind_index, nth) WHERE blind_index IS NOT NULL;

-- Whom a value is about, as a keyed hash. A value may be about several.
CREATE TABLE subject (
    handle      BLOB NOT NULL CHECK (length(handle) = 16),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 16),
    PRIMARY KEY (handle, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE INDEX subject_by_token ON subject (fingerprint);

-- Legal holds, on a token (its fingerprint) or on a subject (its handle), each for one matter.
CREATE TABLE hold (
    handle    BLOB    NOT NULL CHECK (length(handle) = 16),
    matter    TEXT    NOT NULL,
    domain    TEXT    NOT NULL,
    placed_us INTEGER NOT NULL,
    PRIMARY KEY (handle, matter)
) STRICT, WITHOUT ROWID;

-- Tokens that stopped for good: they are never issued again, so that nobody's old token becomes another's.
CREATE TABLE gone (
    fingerprint BLOB NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 16)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER token_stays_gone BEFORE INSERT ON token
WHEN EXISTS (SELECT 1 FROM gone WHERE fingerprint = NEW.fingerprint)
BEGIN
    SELECT RAISE(ABORT, 'gone');
END;

-- Shred keys that must be destroyed: written with the entry, taken away when it is done.
CREATE TABLE shred_due (
    slot INTEGER NOT NULL PRIMARY KEY
) STRICT;

-- Which file of shred keys belongs to this database.
CREATE TABLE shred_file (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16)
) STRICT, WITHOUT ROWID;
