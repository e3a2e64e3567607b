-- Policy sets under the rule of two: the one that decides, and the one that waits. The mark is a keyed hash over the
-- row: who can write the database alone can't put another set in its place.
CREATE TABLE policy_set (
    state       TEXT    NOT NULL PRIMARY KEY CHECK (state IN ('active', 'waiting')),
    digest      BLOB    NOT NULL CHECK (length(digest) = 32),
    bundle      BLOB    NOT NULL,
    proposed_by TEXT,
    proposed_us INTEGER NOT NULL,
    approved_by TEXT,
    approved_us INTEGER,
    mark        BLOB    NOT NULL CHECK (length(mark) = 32),
    CHECK ((approved_by IS NULL) = (approved_us IS NULL))
) STRICT, WITHOUT ROWID;
