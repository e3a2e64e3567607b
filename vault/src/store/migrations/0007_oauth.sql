-- Proofs of possession and client assertions that were used: each counts once. The id is a hash of who made it and
-- of its name; nothing of a token is here.
CREATE TABLE spent_proof (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    -- From this instant on it would be refused for its age.
    expires_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_proof_expiry ON spent_proof (expires_us);
