-- Every statement of the SQLite backend, by name. A row that is followed by `, ...` is written
-- once for each row of a group: one statement for many rows is what makes a commit cheap.

-- Reading

-- name: head
SELECT h.path, h.cid, h.seq, b.data, h.plan, made.data, ifnull(p.version, 0), p.progress
FROM head AS h
LEFT JOIN block AS b ON b.cid = h.cid
LEFT JOIN block AS made ON made.cid = h.plan AND h.plan <> h.cid
LEFT JOIN plan AS p ON p.plan = h.plan
WHERE h.path = ?1;

-- The end of a span may be missing: a blob sorts behind every text.
-- name: scan
SELECT h.path, h.cid, h.seq, b.data, h.plan, made.data, ifnull(p.version, 0), p.progress
FROM head AS h
LEFT JOIN block AS b ON b.cid = h.cid
LEFT JOIN block AS made ON made.cid = h.plan AND h.plan <> h.cid
LEFT JOIN plan AS p ON p.plan = h.plan
WHERE h.path >= ?1 AND h.path < ifnull(?2, x'')
ORDER BY h.path
LIMIT ?3;

-- name: scan_backwards
SELECT h.path, h.cid, h.seq, b.data, h.plan, made.data, ifnull(p.version, 0), p.progress
FROM head AS h
LEFT JOIN block AS b ON b.cid = h.cid
LEFT JOIN block AS made ON made.cid = h.plan AND h.plan <> h.cid
LEFT JOIN plan AS p ON p.plan = h.plan
WHERE h.path >= ?1 AND h.path < ifnull(?2, x'')
ORDER BY h.path DESC
LIMIT ?3;

-- name: newest_first
SELECT m.position, h.path, h.cid, h.seq, b.data, h.plan, made.data, ifnull(p.version, 0), p.progress
FROM member AS m
CROSS JOIN head AS h ON h.path = m.path
LEFT JOIN block AS b ON b.cid = h.cid
LEFT JOIN block AS made ON made.cid = h.plan AND h.plan <> h.cid
LEFT JOIN plan AS p ON p.plan = h.plan
WHERE m.list = ?1 AND m.position > ?2 AND m.position < ?3
ORDER BY m.position DESC
LIMIT ?4;

-- name: oldest_first
SELECT m.position, h.path, h.cid, h.seq, b.data, h.plan, made.data, ifnull(p.version, 0), p.progress
FROM member AS m
CROSS JOIN head AS h ON h.path = m.path
LEFT JOIN block AS b ON b.cid = h.cid
LEFT JOIN block AS made ON made.cid = h.plan AND h.plan <> h.cid
LEFT JOIN plan AS p ON p.plan = h.plan
WHERE m.list = ?1 AND m.position > ?2 AND m.position < ?3
ORDER BY m.position
LIMIT ?4;

-- name: plan
SELECT
    ?1,
    coalesce(p.path, (SELECT path FROM task WHERE plan = ?1 LIMIT 1)),
    (SELECT data FROM block WHERE cid = ?1),
    ifnull(p.version, 0),
    p.progress
FROM (SELECT 1) LEFT JOIN plan AS p ON p.plan = ?1;

-- name: block
SELECT data FROM block WHERE cid = ?1;

-- name: receipt
SELECT block FROM receipt WHERE task = ?1;

-- name: slices
SELECT multihash, shard, start, length FROM slice
WHERE multihash = ?1 AND shard > ?2 ORDER BY shard LIMIT ?3;

-- name: slices_in
SELECT multihash, shard, start, length FROM slice
WHERE shard = ?1 AND multihash > ?2 ORDER BY multihash LIMIT ?3;

-- name: settings
SELECT name, value FROM setting ORDER BY name;

-- Tasks, the longest ready first

-- name: ready
SELECT plan, number, path, ability, about, ready_at, tries, trouble FROM task
WHERE ready_at <= ?1 ORDER BY ready_at, plan, number;

-- name: ready_of
SELECT plan, number, path, ability, about, ready_at, tries, trouble FROM task
WHERE ability = ?2 AND ready_at <= ?1 ORDER BY ready_at, plan, number;

-- name: about
SELECT plan, number, path, ability, about, ready_at, tries, trouble FROM task
WHERE about = ?1 AND about <> '' ORDER BY ready_at, plan, number;

-- name: ready_times
SELECT ready_at, plan, number FROM task
WHERE ability = ?2 AND ready_at < ?1 ORDER BY ready_at, plan, number;

-- From one ability to the next, without reading the tasks between them.
-- name: abilities
WITH RECURSIVE known (ability) AS (
    SELECT min(ability) FROM task
    UNION ALL
    SELECT (SELECT min(task.ability) FROM task WHERE task.ability > known.ability)
    FROM known WHERE known.ability IS NOT NULL
)
SELECT ability FROM known WHERE ability IS NOT NULL;

-- No time is later than the one that does not come: one value, so the index has the order of keys.
-- name: asleep
SELECT plan, number, path, ability, about, ready_at, tries, trouble FROM task
WHERE ready_at = ?3 AND (plan, number) > (?1, ?2) ORDER BY plan, number LIMIT ?4;

-- name: open
SELECT plan, number, path, ability, about, ready_at, tries, trouble FROM task
ORDER BY ready_at, plan, number;

-- name: open_of
SELECT plan, number, path, ability, about, ready_at, tries, trouble FROM task
WHERE path = ?1 ORDER BY ready_at, plan, number;

-- name: task_counts
SELECT
    count(*) FILTER (WHERE trouble = '' AND ready_at >= ?2),
    count(*) FILTER (WHERE trouble = '' AND ready_at > ?1 AND ready_at < ?2),
    count(*) FILTER (WHERE trouble = '' AND ready_at <= ?1),
    count(*) FILTER (WHERE trouble <> '' AND ready_at < ?2),
    count(*) FILTER (WHERE trouble <> '' AND ready_at >= ?2)
FROM task;

-- A commit, in the order of its steps

-- name: moved_heads
SELECT e.column1, e.column2, ifnull(h.seq, 0)
FROM (VALUES (?, ?), ...) AS e
LEFT JOIN head AS h ON h.path = e.column1
WHERE ifnull(h.seq, 0) <> e.column2
LIMIT 1;

-- name: moved_plans
SELECT e.column1, e.column2, ifnull(p.version, 0)
FROM (VALUES (?, ?), ...) AS e
LEFT JOIN plan AS p ON p.plan = e.column1
WHERE ifnull(p.version, 0) <> e.column2
LIMIT 1;

-- name: add_blocks
INSERT OR IGNORE INTO block (cid, data) VALUES (?, ?), ...;

-- name: move_heads
REPLACE INTO head (path, cid, seq, plan) VALUES (?, ?, ?, ?), ...;

-- name: leave_lists
DELETE FROM member WHERE (list, path) IN (VALUES (?, ?), ...);

-- name: join_lists
INSERT OR IGNORE INTO member (list, path) VALUES (?, ?), ...;

-- name: change_plans
REPLACE INTO plan (plan, path, version, progress) VALUES (?, ?, ?, ?), ...;

-- name: close_tasks
DELETE FROM task WHERE (plan, number) IN (VALUES (?, ?), ...);

-- name: open_tasks
INSERT INTO task (plan, number, path, ability, about, ready_at, tries, trouble)
VALUES (?, ?, ?, ?, ?, ?, ?, ?), ...;

-- name: defer_task
UPDATE task SET ready_at = ?3, tries = ?4, trouble = ?5 WHERE plan = ?1 AND number = ?2;

-- name: add_receipts
INSERT INTO receipt (task, block, at) VALUES (?, ?, ?), ...;

-- name: add_slices
INSERT OR IGNORE INTO slice (multihash, shard, start, length) VALUES (?, ?, ?, ?), ...;

-- Beside commits

-- name: forget_receipts
DELETE FROM receipt WHERE task IN (SELECT task FROM receipt WHERE at < ?1 ORDER BY at LIMIT ?2)
RETURNING 1;

-- name: forget_slices
DELETE FROM slice WHERE (shard, multihash) IN
    (SELECT shard, multihash FROM slice WHERE shard = ?1 ORDER BY multihash LIMIT ?2);

-- name: remember
REPLACE INTO setting (name, value) VALUES (?1, ?2);
