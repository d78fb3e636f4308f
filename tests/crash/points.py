"""The service, except that it dies at a chosen moment inside a commit, an upload or a delete.

Run as a program: `python points.py "before COMMIT" 7` dies when it comes there for the 7th time;
with 0, when it comes there after SIGUSR1.
What ships runs unchanged; it is watched from outside: SQLite's own trace of statements, a way to
the disk (VFS) that passes everything on, and a wrapper around a few functions.
"""

import asyncio
import signal
import sys
import threading
from collections.abc import Callable
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, Final

import apsw

from crash.dying import die
from taijitu.buckets import disk, files
from taijitu.buckets.disk import DiskBucket
from taijitu.buckets.files import Incoming
from taijitu.engine.actor import Actor, Actors, Assignment
from taijitu.engine.dispatch import Dispatcher
from taijitu.engine.engine import Engine
from taijitu.kernel.failures import Fault
from taijitu.kernel.receipt import Receipt
from taijitu.server import config, installation
from taijitu.server.rpc import Rpc
from taijitu.server.service import serve
from taijitu.storage import sqlite_file
from taijitu.storage.sqlite import SqliteStorage, Writer
from taijitu.storage.statements import statements

STEPS: Final = (
    "moved_heads",
    "moved_plans",
    "add_blocks",
    "move_heads",
    "leave_lists",
    "join_lists",
    "change_plans",
    "close_tasks",
    "open_tasks",
    "defer_task",
    "add_receipts",
    "add_slices",
)
"""The statements of a commit, by their names in `queries.sql`."""

COMMIT: Final = (
    "before BEGIN",
    *(f"before {step}" for step in STEPS),
    "before COMMIT",
    "log written",
    "log synced",
    "checkpoint written",
    "checkpoint synced",
    "after COMMIT",
    "nobody told",
    "answer not sent",
)
UPLOAD: Final = (
    "bytes written",
    "bytes durable",
    "bytes named",
    "name durable",
    "temporary name gone",
    "before hint",
    "facts written",
)
DELETE: Final = ("bytes renamed", "rename durable", "bytes gone")
POINTS: Final = COMMIT + UPLOAD + DELETE

LOG_PAGES: Final = 40
"""The log is written back to the database this often, so that it happens under a short load."""


class Reaper:
    """Counts how often a moment comes, and takes the process with it when it is time."""

    def __init__(self, point: str, passages: int) -> None:
        self.point = point
        self.left = passages
        self.lock = threading.RLock()

    def arm(self) -> None:
        """The next passage is the last."""
        with self.lock:
            self.left = 1

    def passes(self, point: str) -> None:
        if point != self.point:
            return
        with self.lock:
            self.left -= 1
            if self.left == 0:
                die(point)


def watch_statements(passes: Callable[[str], None]) -> None:
    """Every connection tells what it is about to execute."""
    known = {beginning(statements("sqlite")[name]): name for name in STEPS}

    def trace(cursor: object, sql: str, bindings: object) -> bool:
        if sql.startswith("BEGIN IMMEDIATE"):
            passes("before BEGIN")
        elif sql == "COMMIT":
            passes("before COMMIT")
        elif (name := known.get(beginning(sql))) is not None:
            passes(f"before {name}")
        return True

    apsw.connection_hooks.append(lambda connection: connection.set_exec_trace(trace))


def beginning(sql: str) -> str:
    """What is the same for any number of rows."""
    return sql.split("VALUES", maxsplit=1)[0]


class Watched(apsw.VFS):
    """SQLite's own way to the disk, and the default one from now on."""

    def __init__(self, passes: Callable[[str], None]) -> None:
        self.passes = passes
        self.below = apsw.vfs_names()[0]
        super().__init__("watched", self.below, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> "WatchedFile":
        return WatchedFile(self, name, flags)


class WatchedFile(apsw.VFSFile):
    def __init__(self, vfs: Watched, name: Any, flags: list[int]) -> None:
        is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)
        self.what = "log" if is_log else "checkpoint"
        self.passes = vfs.passes
        super().__init__(vfs.below, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self.passes(f"{self.what} written")

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self.passes(f"{self.what} synced")


def before(owner: Any, name: str, tell: Callable[[], None]) -> None:
    """Whoever calls a function of a class or module tells so first."""
    real = getattr(owner, name)

    def told(*given: Any, **named: Any) -> Any:
        tell()
        return real(*given, **named)

    setattr(owner, name, told)


def after(owner: Any, name: str, tell: Callable[[], None]) -> None:
    """Whoever has called a function of a class or module, and got its answer, tells so."""
    real = getattr(owner, name)

    def told(*given: Any, **named: Any) -> Any:
        answer = real(*given, **named)
        tell()
        return answer

    async def told_later(*given: Any, **named: Any) -> Any:
        answer = await real(*given, **named)
        tell()
        return answer

    setattr(owner, name, told_later if iscoroutinefunction(real) else told)


def watch_commits(passes: Callable[[str], None]) -> None:
    """From the end of the transaction to the answer."""
    after(Writer, "commit", lambda: passes("after COMMIT"))
    after(SqliteStorage, "commit", lambda: passes("nobody told"))
    after(Rpc, "message", lambda: passes("answer not sent"))


def watch_bytes(passes: Callable[[str], None]) -> None:
    """From the first byte of an upload to the hint, and a delete."""
    here = threading.local()

    def settling() -> None:
        here.synced = "name durable"
        passes("bytes durable")

    def removing() -> None:
        here.synced = "rename durable"

    def renamed() -> None:
        if getattr(here, "synced", "") == "rename durable":
            passes("bytes renamed")

    after(files, "write_all", lambda: passes("bytes written"))
    before(DiskBucket, "settle", settling)
    after(Path, "hardlink_to", lambda: passes("bytes named"))
    after(Incoming, "publish", lambda: passes("temporary name gone"))
    before(Dispatcher, "hint", lambda: passes("before hint"))
    after(Engine, "note", lambda: passes("facts written"))

    before(DiskBucket, "remove", removing)
    after(Path, "replace", renamed)
    after(DiskBucket, "remove", lambda: passes("bytes gone"))

    after(disk, "sync_folder", lambda: passes(getattr(here, "synced", "at the start")))


class Hesitant:
    """A bucket that does not delete at the first try, so that there is something to put off."""

    def __init__(self, real: Actor) -> None:
        self.real = real
        self.prompt = real.prompt

    async def run(self, assignment: Assignment) -> Receipt | None:
        if assignment.tries == 0:
            raise Fault("not at once")
        return await self.real.run(assignment)


def main(point: str, passages: int) -> None:
    assert point in POINTS
    reaper = Reaper(point, passages)
    signal.signal(signal.SIGUSR1, lambda *_: reaper.arm())
    passes = reaper.passes
    watch_statements(passes)
    watching = Watched(passes)
    watch_commits(passes)
    watch_bytes(passes)
    setattr(sqlite_file, "WAL_PAGES", LOG_PAGES)  # noqa: B010 - it is a constant
    real = installation.actors

    def with_a_hesitant_one(*given: Any, **named: Any) -> Actors:
        living = real(*given, **named)
        return {**living, "s3/delete": Hesitant(living["s3/delete"])}

    installation.actors = with_a_hesitant_one
    asyncio.run(serve(config.load().config))
    watching.unregister()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
