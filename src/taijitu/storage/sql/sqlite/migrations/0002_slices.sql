-- Where bytes lie within objects: `length` bytes of the object `shard`, from `start` on, have the
-- hash `multihash`. Rows are facts: they are added or dropped, and never change.
CREATE TABLE slice (
    shard BLOB NOT NULL,
    multihash BLOB NOT NULL,
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (shard, multihash)
) STRICT, WITHOUT ROWID;

CREATE INDEX slice_multihash ON slice (multihash, shard);
