-- How many messages a version has made whose key itself encrypts under random nonces (kind `jwe-dir`): they are
-- counted in the transaction of the entry that says that they were made, and end at a limit.
CREATE TABLE key_messages (
    key      TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    messages INTEGER NOT NULL CHECK (messages >= 0),
    PRIMARY KEY (key, version)
) STRICT, WITHOUT ROWID;
