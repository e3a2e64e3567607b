-- The database knows tokens only as keyed hashes, values only as ciphertexts, keys only as wrapped.
CREATE TABLE token (
    fingerprint  BLOB    NOT NULL UNIQUE CHECK (length(fingerprint) = 16),
    domain       TEXT    NOT NULL,
    class        TEXT    NOT NULL,
    created_us   INTEGER NOT NULL,
    sealed       BLOB    NOT NULL,
    blind_index  BLOB    CHECK (blind_index IS NULL OR length(blind_index) = 16),
    sealed_token BLOB    CHECK ((sealed_token IS NULL) = (blind_index IS NULL))
) STRICT;

CREATE UNIQUE INDEX token_by_value ON token (blind_index, domain, class) WHERE blind_index IS NOT NULL;

CREATE TABLE key_version (
    id         TEXT    NOT NULL,
    version    INTEGER NOT NULL CHECK (version > 0),
    usage      TEXT    NOT NULL,
    wrapped    BLOB    NOT NULL,
    created_us INTEGER NOT NULL,
    PRIMARY KEY (id, version)
) STRICT;

CREATE TABLE entry (
    seq   INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL,
    items BLOB NOT NULL
) STRICT;
