"""A SQLite file as this program keeps one: opened, recognised, brought up to date.

Law: a file that is damaged, foreign or newer than this program is refused with a sentence and left
as it is. One process has a file open at a time; whoever opens it sees to that.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, cast

import apsw

from taijitu.kernel.failures import Bug, Fault
from taijitu.storage.statements import migrations

APPLICATION: Final = int.from_bytes(b"taij")
"""What stands in the header of our files, so that a stranger's is not mistaken for one."""

BUSY_MS: Final = 5_000
"""How long to wait for another program (a backup, a shell) that holds the file, in ms."""

CACHE_KIB: Final = 24 * 1024
"""Pages that the connection that writes keeps in memory, in KiB."""

READER_CACHE_KIB: Final = 8 * 1024
"""The same of one that only reads: what is read often is kept decoded, above it."""

WAL_PAGES: Final = 4_000
"""The log is written back to the database whenever it has this many pages (of 4 KiB)."""

WAL_BYTES_MAX: Final = 64 * 1024 * 1024
"""A log that a slow reader made longer than this is cut back to it."""

STATEMENTS_MAX: Final = 1_024
"""Prepared statements that a connection keeps."""

OURS = (
    apsw.SQLError,
    apsw.MisuseError,
    apsw.RangeError,
    apsw.MismatchError,
    apsw.BindingsError,
    apsw.ConstraintError,
    apsw.ThreadingViolationError,
)
"""Errors that mean the program is wrong, not the world."""


Row: TypeAlias = tuple[Any, ...]


class Rows(Protocol):
    """The answer of a statement, row by row."""

    def __iter__(self) -> Iterator[Row]: ...

    def fetchall(self) -> list[Row]: ...

    def close(self) -> None: ...


class Database(AbstractContextManager["Database"], Protocol):
    """What we use of a connection; as a context, one transaction (or a part of one)."""

    @property
    def in_transaction(self) -> bool: ...

    def execute(self, statements: str, bindings: Sequence[Any] = ()) -> Rows: ...

    def executemany(self, statements: str, sequenceofbindings: Iterable[Row]) -> Rows: ...

    def pragma(self, name: str, value: int | str | None = None) -> Any: ...

    def config(self, op: int, *args: int) -> int: ...

    def set_busy_timeout(self, milliseconds: int) -> None: ...

    def wal_autocheckpoint(self, n: int) -> None: ...

    def close(self) -> None: ...


class Unusable(Exception):
    """The file cannot serve as the database. The sentence says why."""


class NewerSchema(Unusable):
    """The file was written by a newer version of this program."""


def open_file(path: Path, vfs: str | None = None) -> Database:
    """A connection that may write to the database at `path`, which is made if it is not there.

    `vfs` names the way to the disk, where it is not SQLite's own: for tests of bad disks.
    Raises `Unusable` for a file that is damaged, foreign, newer, or cannot be opened.
    """
    try:
        db = cast(Database, apsw.Connection(str(path), vfs=vfs, statementcachesize=STATEMENTS_MAX))
        try:
            prepare(db, path)
        except BaseException:
            db.close()
            raise
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise Unusable(f"{path} is damaged, or no database: {error}") from error
    except apsw.Error as error:
        raise Unusable(f"{path} cannot be opened: {error}") from error
    return db


def prepare(db: Database, path: Path) -> None:
    db.set_busy_timeout(BUSY_MS)
    keep_plans(db)
    recognise(db, path)
    if db.pragma("journal_mode", "wal") != "wal":
        raise Unusable(f"{path} lies where SQLite can keep no write-ahead log")
    db.pragma("synchronous", "full")
    db.pragma("cache_size", -CACHE_KIB)
    db.pragma("temp_store", "memory")
    db.pragma("journal_size_limit", WAL_BYTES_MAX)
    db.wal_autocheckpoint(WAL_PAGES)
    migrate(db, path, migrations("sqlite"))


def keep_plans(db: Database) -> None:
    """Choose how a statement runs once, not by the values of each execution: with many joins
    choosing takes longer than running."""
    db.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)


def recognise(db: Database, path: Path) -> None:
    """Refuse a database that some other program made."""
    tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchall()[0][0]
    if tables and db.pragma("application_id") != APPLICATION:
        raise Unusable(f"{path} is the database of another program")


def migrate(db: Database, path: Path, steps: list[str]) -> None:
    """Bring the schema up to date, each step whole or not at all."""
    version = int(db.pragma("user_version"))
    if version > len(steps):
        raise NewerSchema(
            f"{path} has schema version {version}, and this program knows versions up to "
            f"{len(steps)}: it was written by a newer version of the program"
        )
    for number, step in enumerate(steps[version:], start=version + 1):
        with db:
            db.execute(step)
            db.pragma("application_id", APPLICATION)
            db.pragma("user_version", number)


def trouble(error: apsw.Error) -> Exception:
    """What an error of SQLite means to whoever asked: a `Fault`, or a `Bug` of ours."""
    if isinstance(error, OURS):
        return Bug(f"the database refuses a statement: {error}")
    match error:
        case apsw.FullError():
            return Fault("the disk of the database is full")
        case apsw.BusyError() | apsw.LockedError():
            return Fault("another program holds the database")
        case apsw.CorruptError() | apsw.NotADBError():
            return Fault(f"the database is damaged: {error}")
        case apsw.ConnectionClosedError() | apsw.CursorClosedError():
            return Fault("the database was closed")
        case _:
            return Fault(f"the database cannot be read or written: {error}")
