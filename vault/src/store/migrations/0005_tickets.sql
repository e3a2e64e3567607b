-- Tickets: known by a hash of their text. What they stand for opens with the domain's key and that text together.
CREATE TABLE ticket (
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    unit       TEXT    NOT NULL,
    domain     TEXT    NOT NULL,
    purpose    TEXT    NOT NULL,
    expires_us INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ticket_expiry ON ticket (expires_us);
