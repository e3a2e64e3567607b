-- Reasons are given for acts on keys, units and policies too: those are in no domain.
CREATE TABLE reason (
    entry  INTEGER NOT NULL PRIMARY KEY,
    -- In which domain's affairs it was given; nothing: in none's.
    domain TEXT,
    -- Place of its shred key.
    slot   INTEGER NOT NULL UNIQUE CHECK (slot >= 0),
    sealed BLOB    NOT NULL
) STRICT;
INSERT INTO reason (entry, domain, slot, sealed) SELECT entry, domain, slot, sealed FROM detail;
DROP TABLE detail;
ALTER TABLE reason RENAME TO detail;
