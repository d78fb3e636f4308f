"""What SQLite alone has to get right: a bad disk, other programs, its thread, its log."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import pytest

from taijitu.engine.storage import Batch, HeadChange, TaskKey, TaskRow
from taijitu.kernel.failures import Fault
from taijitu.storage.sqlite import SqliteStorage


def move(path: str, seq: int, size: int = 10) -> Batch:
    cid = f"{path} {seq}".encode()
    head = HeadChange(path, seq - 1, seq, cid, cid)
    return Batch(heads={path: head}, blocks=[(cid, bytes(size))])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


@pytest.fixture
async def storage(path: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage.open(path)
    yield storage
    await storage.close()


class BadDisk(apsw.VFS):
    """A way to the disk on which the next syncs or writes fail, when asked to."""

    def __init__(self, name: str) -> None:
        self.fails: str = ""
        super().__init__(name, "")
        self.name = name

    def xOpen(self, name: object, flags: list[int]) -> "BadFile":
        return BadFile(self, name, flags)


class BadFile(apsw.VFSFile):
    def __init__(self, disk: BadDisk, name: object, flags: list[int]) -> None:
        self.disk = disk
        super().__init__("", name, flags)  # pyright: ignore[reportArgumentType]

    def xSync(self, flags: int) -> None:
        if self.disk.fails == "sync":
            raise apsw.IOError("the disk does not sync")
        super().xSync(flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self.disk.fails == "write":
            raise apsw.FullError("no room")
        super().xWrite(data, offset)


@pytest.fixture
def disk(path: Path) -> Iterator[BadDisk]:
    disk = BadDisk(f"bad disk of {path}")
    yield disk
    disk.unregister()


@pytest.mark.parametrize(("fails", "sentence"), [("sync", "read or written"), ("write", "full")])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_commit_that_the_disk_refuses_writes_nothing_and_can_be_tried_again(
    path: Path, disk: BadDisk, fails: str, sentence: str
) -> None:
    storage = SqliteStorage.open(path, vfs=disk.name)
    await storage.commit(move("a", 1))

    disk.fails = fails
    with pytest.raises(Fault, match=sentence):
        await storage.commit(move("a", 2))
    disk.fails = ""

    head = await storage.head("a")
    assert head is not None
    assert head.seq == 1
    assert await storage.block(b"a 2") is None
    await storage.commit(move("a", 2))
    await storage.close()
    again = SqliteStorage.open(path)
    head = await again.head("a")
    assert head is not None
    assert head.seq == 2
    await again.close()


async def test_a_file_that_may_not_grow_refuses_the_whole_commit(storage: SqliteStorage) -> None:
    await storage.commit(move("a", 1))
    db = storage._writer._db
    db.pragma("max_page_count", db.pragma("page_count") + 2)

    with pytest.raises(Fault, match="the disk of the database is full"):
        await storage.commit(move("a", 2, size=100_000))

    head = await storage.head("a")
    assert head is not None
    assert head.seq == 1
    await storage.commit(move("a", 2))


async def test_a_file_that_another_program_holds_is_a_fault(
    storage: SqliteStorage, path: Path
) -> None:
    storage._writer._db.set_busy_timeout(0)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Fault, match="another program holds the database"):
        await storage.commit(move("a", 1))

    other.execute("ROLLBACK")
    other.close()
    await storage.commit(move("a", 1))


async def test_a_closed_storage_answers_with_a_fault(storage: SqliteStorage) -> None:
    await storage.close()

    with pytest.raises(Fault, match="closed"):
        await storage.head("a")
    with pytest.raises(Fault, match="closed"):
        await storage.commit(move("a", 1))
    with pytest.raises(Fault, match="closed"):
        await storage.claim(1, 1, 1)


async def test_closing_finishes_commits_and_ends_the_thread(path: Path) -> None:
    before = set(threading.enumerate())
    storage = SqliteStorage.open(path)
    commits = [asyncio.ensure_future(storage.commit(move("a", seq))) for seq in (1, 2, 3)]
    await asyncio.sleep(0)
    assert any(thread.name.startswith("taijitu-sqlite") for thread in threading.enumerate())

    await storage.close()

    await asyncio.gather(*commits)
    assert set(threading.enumerate()) <= before
    assert not path.with_name("x.db-wal").exists()


async def test_after_a_restart_every_open_task_is_free_at_once(path: Path) -> None:
    row = TaskRow(b"p", 0, "a", "test/do", "", 5)
    storage = SqliteStorage.open(path)
    await storage.commit(Batch(opened={row.key: row}))
    assert await storage.claim(10, 1, 1_000_000) == [row]
    await storage.close()

    again = SqliteStorage.open(path)

    assert await again.claim(10, 1, 1_000_000) == [row]
    await again.close()


async def test_a_cancelled_wait_for_a_commit_leaves_no_half_of_it(storage: SqliteStorage) -> None:
    commit = asyncio.ensure_future(storage.commit(move("a", 1)))
    await asyncio.sleep(0)
    commit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await commit

    await storage.commit(move("b", 1))
    head = await storage.head("a")
    assert (head is None) == (await storage.block(b"a 1") is None)


async def test_the_log_stays_bounded_while_commits_go_on(
    storage: SqliteStorage, path: Path
) -> None:
    db = storage._writer._db
    db.wal_autocheckpoint(50)
    for seq in range(1, 120):
        await storage.commit(move("a", seq, size=4_000))
        await storage.head("a")

    assert path.with_name("x.db-wal").stat().st_size < 120 * 4_096


async def test_a_stopped_claim_leaves_no_read_open(storage: SqliteStorage, path: Path) -> None:
    rows = [TaskRow(b"p", number, "a", "test/do", "", 5) for number in range(10)]
    await storage.commit(Batch(opened={row.key: row for row in rows}))
    assert len(await storage.claim(10, 1, 1_000)) == 1
    assert list((await storage.next_ready()).values()) == [5]

    await storage.commit(Batch(closed=[TaskKey(b"p", number) for number in range(10)]))
    _, left, done = storage._writer._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0]

    assert (left, done) == (0, 0)


async def test_choosing_how_to_run_a_statement_is_done_once(storage: SqliteStorage) -> None:
    asked = apsw.SQLITE_DBCONFIG_ENABLE_QPSG
    for db in (storage._reader, storage._writer._db):
        assert db.config(asked, -1) == 1
