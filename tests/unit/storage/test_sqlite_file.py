"""Files that are not ours, not whole, or not of our time are refused, and left as they are."""

from pathlib import Path

import apsw
import pytest

from taijitu.kernel.failures import Bug, Fault
from taijitu.storage import sqlite_file
from taijitu.storage.sqlite import SqliteStorage
from taijitu.storage.sqlite_file import NewerSchema, Unusable, migrate, open_file, trouble


def test_a_new_file_is_recognised_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    open_file(path).close()

    db = open_file(path)

    assert db.pragma("application_id") == sqlite_file.APPLICATION
    assert db.pragma("journal_mode") == "wal"
    assert db.pragma("synchronous") == 2
    db.close()


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"a letter to bob, not a database\n" * 500)

    with pytest.raises(Unusable, match="damaged, or no database"):
        SqliteStorage.open(path)

    assert path.read_bytes() == b"a letter to bob, not a database\n" * 500


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    open_file(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * 4_000 + whole[4_100:])

    with pytest.raises(Unusable, match="damaged"):
        SqliteStorage.open(path)


def test_the_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE letter (text)")
    other.close()
    before = path.read_bytes()

    with pytest.raises(Unusable, match="another program"):
        SqliteStorage.open(path)

    assert path.read_bytes() == before


def test_a_file_of_a_newer_version_is_refused_with_both_versions(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    db = open_file(path)
    db.pragma("user_version", 1_000)
    db.close()

    with pytest.raises(NewerSchema, match=r"schema version 1000, .* newer version"):
        SqliteStorage.open(path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="nowhere"):
        SqliteStorage.open(tmp_path / "nowhere" / "x.db")


def test_an_old_schema_is_brought_up_to_date_step_by_step(tmp_path: Path) -> None:
    db = open_file(tmp_path / "x.db")
    now = int(db.pragma("user_version"))
    old = ["SELECT 1 / 'never run again'"] * now

    migrate(db, tmp_path / "x.db", [*old, "CREATE TABLE later (a)", "CREATE TABLE last (a)"])

    assert db.pragma("user_version") == now + 2
    tables = db.execute("SELECT name FROM sqlite_schema WHERE name IN ('later', 'last')")
    assert {name for (name,) in tables} == {"later", "last"}
    db.close()


def test_a_step_that_fails_leaves_the_schema_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    db = open_file(path)
    now = int(db.pragma("user_version"))
    steps = ["SELECT 1"] * now + ["CREATE TABLE later (a); CREATE TABLE head (a)"]

    with pytest.raises(apsw.SQLError):
        migrate(db, path, steps)

    assert db.pragma("user_version") == now
    assert not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'later'").fetchall()
    db.close()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (apsw.FullError("x"), Fault),
        (apsw.IOError("x"), Fault),
        (apsw.BusyError("x"), Fault),
        (apsw.CorruptError("x"), Fault),
        (apsw.ReadOnlyError("x"), Fault),
        (apsw.NoMemError("x"), Fault),
        (apsw.SQLError("x"), Bug),
        (apsw.ConstraintError("x"), Bug),
        (apsw.MisuseError("x"), Bug),
    ],
)
def test_what_the_world_does_is_a_fault_and_what_we_do_is_a_bug(
    error: apsw.Error, kind: type[Exception]
) -> None:
    assert type(trouble(error)) is kind
