-- Reasons that people gave in their own words, each beside the entry that commits to it. The text is sealed under a
-- shred key, and can be erased: the entry keeps its hash.
CREATE TABLE detail (
    entry  INTEGER NOT NULL PRIMARY KEY,
    domain TEXT    NOT NULL,
    -- Place of its shred key.
    slot   INTEGER NOT NULL UNIQUE CHECK (slot >= 0),
    sealed BLOB    NOT NULL
) STRICT;
