-- Heads, lists, blocks, plans, open tasks, receipts and settings, one table each. Where rows are long and
-- their keys are hashes, rows are appended and only their keys are sorted: fewer pages are touched.

-- Where each cell stands, by its path.
CREATE TABLE head (
    path TEXT NOT NULL PRIMARY KEY,
    cid BLOB NOT NULL,
    seq INTEGER NOT NULL,
    plan BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Which cells stand in which lists. No position is ever given out twice.
CREATE TABLE member (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    list TEXT NOT NULL,
    path TEXT NOT NULL,
    UNIQUE (list, path)
) STRICT;

CREATE INDEX member_list ON member (list, position);

-- What was ever written. Blocks never change.
CREATE TABLE block (
    cid BLOB NOT NULL PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;

-- What is known of the tasks of a plan; a plan of which nothing is known yet has no row.
CREATE TABLE plan (
    plan BLOB NOT NULL PRIMARY KEY,
    path TEXT NOT NULL,
    version INTEGER NOT NULL,
    progress BLOB NOT NULL
) STRICT;

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
    task BLOB NOT NULL PRIMARY KEY,
    block BLOB NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX receipt_at ON receipt (at);

-- What the installation remembers about itself.
CREATE TABLE setting (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
