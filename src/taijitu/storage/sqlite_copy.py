"""Looking at a SQLite file as a whole: a copy of it as of one moment, and how sound it is.

Both read beside whoever writes, and hold nobody up: a reader of a write-ahead log sees one moment.
Call them from a thread: they take as long as the file is large.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

import apsw

from taijitu.kernel.failures import Fault
from taijitu.storage.sqlite_file import BUSY_MS, Database, trouble

STEP_PAGES: Final = 2_000
"""Pages that are copied between two reports of progress."""

LOOK_STEPS: Final = 10_000
"""Instructions of the database between two looks at the time."""

AILMENTS_MAX: Final = 10
"""Damages that are named."""

Progress = Callable[[int, int], None]
"""Told how many pages are done, and of how many."""


def copy_file(source: Path, target: Path, progress: Progress = lambda _done, _all: None) -> None:
    """Copy a database as of the moment this begins. Raises `Fault`, and `Bug`."""
    try:
        reading, writing = for_reading(source), apsw.Connection(str(target))
        try:
            # An open transaction pins the moment. Without one, each commit starts the copy anew.
            typed(reading).execute("BEGIN; SELECT count(*) FROM sqlite_schema").fetchall()
            with writing.backup("main", reading, "main") as copying:
                while not copying.step(STEP_PAGES):
                    progress(copying.page_count - copying.remaining, copying.page_count)
        finally:
            writing.close()
            reading.close()
    except apsw.Error as error:
        raise trouble(error) from error


def ailments(path: Path, seconds_max: float | None = None) -> list[str] | None:
    """What is wrong with the structure of a database; nothing, if it is sound; `None` if nothing
    was found in the time there was."""
    until = None if seconds_max is None else time.monotonic() + seconds_max
    try:
        db = for_reading(path)
        try:
            if until is not None:
                db.set_progress_handler(lambda: time.monotonic() > until, LOOK_STEPS)
            found = typed(db).execute(f"PRAGMA quick_check({AILMENTS_MAX})").fetchall()
        finally:
            db.close()
    except apsw.InterruptError:
        return None
    except apsw.Error as error:
        why = trouble(error)
        if not isinstance(why, Fault):
            raise why from error
        return [str(why)]
    return [str(text) for (text,) in found if text != "ok"]


def newest_receipt(path: Path) -> int | None:
    """When the newest receipt was recorded, in ms since 1970; `None` if there is none. Raises
    `Fault`."""
    try:
        db = for_reading(path)
        try:
            return typed(db).execute("SELECT max(at) FROM receipt").fetchall()[0][0]
        finally:
            db.close()
    except apsw.Error as error:
        raise trouble(error) from error


def for_reading(path: Path) -> apsw.Connection:
    """A connection of its own. (Not read-only: reading a log needs its index, which may have to be
    made.) Nothing is written through it."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    db.set_busy_timeout(BUSY_MS)
    typed(db).pragma("query_only", 1)
    return db


def typed(db: apsw.Connection) -> Database:
    """The connection, as the type checker understands it."""
    return cast("Database", db)
