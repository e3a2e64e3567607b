-- Answers to requests with an idempotency key, for as long as they are given again. The key and the request
-- stand as keyed hashes, the tokens as a ciphertext under the domain's value key.
CREATE TABLE idempotency (
    -- Of unit, domain and key.
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    domain     TEXT    NOT NULL,
    request    BLOB    NOT NULL CHECK (length(request) = 32),
    sealed     BLOB    NOT NULL,
    -- Index of the entry that recorded the request.
    entry      INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL
) STRICT;

CREATE INDEX idempotency_expiry ON idempotency (expires_us);
