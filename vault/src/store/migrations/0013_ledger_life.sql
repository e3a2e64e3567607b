-- Epochs of the ledger's pseudonyms. The key of one has two halves: a key of this database, and a shred key, which
-- no backup holds. Without the second, nobody can tell whom that epoch's pseudonyms stand for.
CREATE TABLE pseudonym_epoch (
    number    INTEGER NOT NULL PRIMARY KEY CHECK (number BETWEEN 1 AND 4294967295),
    -- Place of its shred key; none of the epoch that a database from before this table goes on from.
    slot      INTEGER UNIQUE CHECK (slot >= 0),
    opened_us INTEGER NOT NULL,
    -- The entry that says so.
    entry     INTEGER NOT NULL,
    -- Set once its key is destroyed.
    erased_us INTEGER
) STRICT;

-- Lives of this log's database: each begins where it was made, restored, or found in another place than it was left.
CREATE TABLE incarnation (
    number    INTEGER NOT NULL PRIMARY KEY CHECK (number BETWEEN 1 AND 4294967295),
    -- Random; a file beside the shred keys has the newest one's too.
    id        BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    opened_us INTEGER NOT NULL,
    entry     INTEGER NOT NULL
) STRICT;
