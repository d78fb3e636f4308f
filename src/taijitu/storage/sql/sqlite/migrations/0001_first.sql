-- Heads, blocks, plans, open tasks, receipts and settings, one table each.

-- Where each cell stands, by its path.
CREATE TABLE head (
    path TEXT PRIMARY KEY,
    cid BLOB NOT NULL,
    seq INTEGER NOT NULL,
    plan BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What was ever written. Blocks never change.
CREATE TABLE block (
    cid BLOB PRIMARY KEY,
    data BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What is known of the tasks of a plan; a plan of which nothing is known yet has no row.
CREATE TABLE plan (
    plan BLOB PRIMARY KEY,
    path TEXT NOT NULL,
    version INTEGER NOT NULL,
    progress BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The open tasks. A task that is settled or dropped has no row any more.
CREATE TABLE task (
    plan BLOB NOT NULL,
    number INTEGER NOT NULL,
    path TEXT NOT NULL,
    ability TEXT NOT NULL,
    about TEXT NOT NULL,
    ready_at INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    trouble TEXT NOT NULL,
    PRIMARY KEY (plan, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_ready ON task (ready_at);
CREATE INDEX task_about ON task (about) WHERE about <> '';
CREATE INDEX task_path ON task (path);

-- The receipts that were given out.
CREATE TABLE receipt (
    task BLOB PRIMARY KEY,
    block BLOB NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX receipt_at ON receipt (at);

-- What the installation remembers about itself.
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
