"""Storage in one SQLite file: what a service on a single machine needs.

Reads happen at once, on the thread that asks (they take microseconds and never suspend). Writes
happen in a thread of their own, which alone holds the connection that writes: a commit is one
transaction with one fsync, and a handful of statements however many rows it has.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from taijitu.engine.storage import (
    Batch,
    HeadRow,
    PlanRow,
    SliceRow,
    TaskCounts,
    TaskKey,
    TaskRow,
)
from taijitu.kernel.effect import NEVER
from taijitu.kernel.failures import BlockMissing, Bug, Fault, HeadMoved
from taijitu.storage.leases import Leases
from taijitu.storage.lists import leaving_and_coming
from taijitu.storage.span import span
from taijitu.storage.sqlite_file import READER_CACHE_KIB, Database, Row, open_file, trouble
from taijitu.storage.statements import Statements, statements

ROWS_MAX: Final = 64
"""Rows that one statement writes; a larger batch takes several statements."""

FORGET_ROWS: Final = 1_000
"""Receipts or slices dropped in one transaction, so that commits need not wait long."""

POSITION_MAX: Final = 2**63 - 1
"""No member of a list has so large a position."""

T = TypeVar("T")


class SqliteStorage:
    """A database file, open. Make one with `SqliteStorage.open`."""

    reads_at_once = True

    def __init__(self, writer: Database, reader: Database) -> None:
        self._sql = statements("sqlite")
        self._writer = Writer(writer, self._sql)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="taijitu-sqlite")
        self._reader = reader
        self._leases = Leases()
        self._closed = False

    @classmethod
    def open(cls, path: str | Path, *, vfs: str | None = None) -> "SqliteStorage":
        """Open the database at `path`, or make one, and bring its schema up to date.

        Raises `Unusable` for a file that is damaged, foreign, newer than this program, or cannot
        be opened. No other process may have it open as its storage.
        """
        writer = open_file(Path(path), vfs)
        try:
            reader = open_file(Path(path), vfs)
            reader.pragma("query_only", 1)
            reader.pragma("cache_size", -READER_CACHE_KIB)
            return cls(writer, reader)
        except BaseException:
            writer.close()
            raise

    async def close(self) -> None:
        """Finish the commits that are under way, then let go of the file and the thread."""
        if self._closed:
            return
        self._closed = True
        self._reader.close()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close)
        self._thread.shutdown()

    # Reading

    async def head(self, path: str) -> HeadRow | None:
        rows = self._read("head", (path,))
        return head_row(rows[0]) if rows else None

    async def plan(self, plan: bytes) -> PlanRow | None:
        (row,) = self._read("plan", (plan,))
        _, path, block, _, _ = row
        if path is None:
            return None
        check_block(plan, block)
        return PlanRow._make(row)

    async def block(self, cid: bytes) -> bytes | None:
        rows = self._read("block", (cid,))
        return rows[0][0] if rows else None

    async def scan(
        self, prefix: str, *, after: str = "", before: str = "", limit: int, backwards: bool = False
    ) -> Sequence[HeadRow]:
        low, high = span(prefix, after, before)
        name = "scan_backwards" if backwards else "scan"
        return [head_row(row) for row in self._read(name, (low, high, max(limit, 0)))]

    async def listing(
        self,
        name: str,
        *,
        older_than: int | None = None,
        newer_than: int | None = None,
        limit: int,
    ) -> Sequence[tuple[int, HeadRow]]:
        low = 0 if newer_than is None else newer_than
        high = POSITION_MAX if older_than is None else older_than
        order = "newest_first" if newer_than is None else "oldest_first"
        rows = self._read(order, (name, low, high, max(limit, 0)))
        page = [(row[0], head_row(row[1:])) for row in rows]
        return page if newer_than is None else page[::-1]

    async def receipt(self, task: bytes) -> bytes | None:
        rows = self._read("receipt", (task,))
        return rows[0][0] if rows else None

    async def slices(
        self, multihash: bytes, limit: int, *, after: bytes = b""
    ) -> Sequence[SliceRow]:
        rows = self._read("slices", (multihash, after, max(limit, 0)))
        return [SliceRow._make(row) for row in rows]

    async def slices_in(
        self, shard: bytes, *, after: bytes = b"", limit: int
    ) -> Sequence[SliceRow]:
        rows = self._read("slices_in", (shard, after, max(limit, 0)))
        return [SliceRow._make(row) for row in rows]

    async def settings(self) -> Mapping[str, str]:
        return dict(self._read("settings"))

    def _read(self, name: str, values: Row = ()) -> list[Any]:
        try:
            return self._reader.execute(self._sql[name], values).fetchall()
        except apsw.Error as error:
            raise trouble(error) from error

    # Writing

    async def commit(self, batch: Batch) -> None:
        await self._write(lambda: self._commit(batch))

    async def forget_receipts(self, before: int) -> None:
        dropped = FORGET_ROWS
        while dropped == FORGET_ROWS:
            dropped = await self._write(lambda: self._writer.forget_receipts(before))

    async def forget_slices(self, shard: bytes) -> None:
        while self._read("slices_in", (shard, b"", 1)):
            await self._write(lambda: self._writer.forget_slices(shard))

    async def remember(self, name: str, value: str) -> None:
        await self._write(lambda: self._writer.remember(name, value))

    def _commit(self, batch: Batch) -> None:
        self._writer.commit(batch)
        self._leases.drop(batch.closed)
        self._leases.drop(batch.deferred)

    async def _write(self, work: Callable[[], T]) -> T:
        """Do something in the thread of the writer, and put its troubles into our words."""
        if self._closed:
            raise Fault("the database was closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except apsw.Error as error:
            raise trouble(error) from error

    # Tasks

    async def claim(
        self,
        now: int,
        limit: int,
        lease_ms: int,
        about: str | None = None,
        *,
        ability: str | None = None,
    ) -> Sequence[TaskRow]:
        if about is not None:
            found = self._stream("about", about)
        elif ability is not None:
            found = self._stream("ready_of", now, ability)
        else:
            found = self._stream("ready", now)
        free: list[TaskRow] = []
        for row in found:
            if len(free) >= limit:
                break
            if self._leases.free(TaskKey(row[0], row[1]), now):
                free.append(TaskRow._make(row))
        self._leases.hold((task.key for task in free), now, lease_ms)
        return free

    async def release(self, keys: Sequence[TaskKey]) -> None:
        self._leases.drop(keys)

    async def next_ready(self) -> Mapping[str, int]:
        times = {ability: self._next_of(ability) for (ability,) in self._read("abilities")}
        return {ability: when for ability, when in times.items() if when < NEVER}

    def _next_of(self, ability: str) -> int:
        soonest = NEVER
        for ready_at, plan, number in self._stream("ready_times", NEVER, ability):
            if soonest <= ready_at:
                break
            soonest = min(soonest, max(ready_at, self._leases.ends(TaskKey(plan, number))))
        return soonest

    async def asleep(self, after: TaskKey | None, limit: int) -> Sequence[TaskRow]:
        key = TaskKey(b"", 0) if after is None else after
        return [TaskRow._make(row) for row in self._read("asleep", (*key, NEVER, max(limit, 0)))]

    async def open_tasks(self, path: str | None = None) -> Sequence[TaskRow]:
        rows = self._read("open") if path is None else self._read("open_of", (path,))
        return [TaskRow._make(row) for row in rows]

    async def task_counts(self, now: int) -> TaskCounts:
        return TaskCounts._make(self._read("task_counts", (now, NEVER))[0])

    def _stream(self, name: str, *values: int | str) -> Iterable[Row]:
        """Rows one by one, for a reader that may stop early. Nothing stays open behind it."""
        try:
            cursor = self._reader.execute(self._sql[name], values)
            try:
                yield from cursor
            finally:
                cursor.close()
        except apsw.Error as error:
            raise trouble(error) from error


class Writer:
    """The connection that writes, and what is done with it in its thread."""

    def __init__(self, db: Database, sql: Statements) -> None:
        self._db = db
        self._sql = sql

    def close(self) -> None:
        self._db.close()

    def commit(self, batch: Batch) -> None:
        """All of a batch, durably, or an exception and nothing of it."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            self._check(batch)
            self._apply(batch)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _check(self, batch: Batch) -> None:
        heads = [(head.path, head.expected) for head in batch.heads.values()]
        for path, expected, seq in self._many("moved_heads", [*heads, *batch.reads.items()]):
            raise HeadMoved(f"{path!r} is at {seq}, not at {expected}")
        plans = [(change.plan, change.expected) for change in batch.plans.values()]
        for plan, expected, version in self._many("moved_plans", plans):
            raise HeadMoved(f"the plan {plan.hex()} is at version {version}, not {expected}")

    def _apply(self, batch: Batch) -> None:
        heads = batch.heads.values()
        plans = batch.plans.values()
        self._many("add_blocks", batch.blocks)
        self._many("move_heads", [(row.path, row.cid, row.seq, row.plan) for row in heads])
        leaving, coming = leaving_and_coming(batch.lists)
        self._many("leave_lists", leaving)
        self._many("join_lists", coming)
        self._many("change_plans", [(p.plan, p.path, p.version, p.progress) for p in plans])
        self._many("close_tasks", batch.closed)
        try:
            self._many("open_tasks", list(batch.opened.values()))
        except apsw.ConstraintError as error:
            raise Bug(f"a task is open already: {error}") from error
        if batch.deferred:
            self._db.executemany(self._sql["defer_task"], batch.deferred.values())
        try:
            self._many("add_receipts", list(batch.receipts.values()))
        except apsw.ConstraintError as error:
            raise HeadMoved(f"there is a receipt already: {error}") from error
        self._many("add_slices", batch.slices)

    def _many(self, name: str, rows: Sequence[Row]) -> list[Any]:
        """Execute a statement with all these rows, in as few executions as may be."""
        answers: list[Any] = []
        for start in range(0, len(rows), ROWS_MAX):
            part = rows[start : start + ROWS_MAX]
            values = tuple(chain.from_iterable(part))
            answers += self._db.execute(self._sql.many(name, len(part)), values).fetchall()
        return answers

    def forget_receipts(self, before: int) -> int:
        """Drop some receipts from before a time (in ms). Answers how many."""
        return len(self._db.execute(self._sql["forget_receipts"], (before, FORGET_ROWS)).fetchall())

    def forget_slices(self, shard: bytes) -> None:
        """Drop some of what is known to lie in an object."""
        self._db.execute(self._sql["forget_slices"], (shard, FORGET_ROWS))

    def remember(self, name: str, value: str) -> None:
        self._db.execute(self._sql["remember"], (name, value))


def head_row(row: Row) -> HeadRow:
    head = HeadRow._make(row)
    check_block(head.cid, head.block)
    if head.planned is None and head.plan != head.cid:
        raise BlockMissing(f"the block {head.plan.hex()} is not in storage")
    return head


def check_block(cid: bytes, block: bytes | None) -> None:
    if block is None:
        raise BlockMissing(f"the block {cid.hex()} is not in storage")
