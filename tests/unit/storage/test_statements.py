"""Statements come out of their files whole, by name, for any number of rows."""

import pytest

from taijitu.storage.statements import Statements, migrations

TEXT = """
-- About this file.

-- name: one
-- Says why.
SELECT 1 FROM t
WHERE a = ?1;

-- name: many
INSERT INTO t (a, b) VALUES (?, ?), ...;
"""


def test_a_statement_is_found_by_its_name() -> None:
    assert Statements(TEXT)["one"] == "SELECT 1 FROM t\nWHERE a = ?1"


def test_a_row_is_written_as_often_as_asked() -> None:
    sql = Statements(TEXT)

    assert sql.many("many", 1) == "INSERT INTO t (a, b) VALUES (?, ?)"
    assert sql.many("many", 3) == "INSERT INTO t (a, b) VALUES (?, ?), (?, ?), (?, ?)"
    assert sql.many("many", 3) is sql.many("many", 3)


def test_a_name_that_no_file_has_is_refused() -> None:
    with pytest.raises(KeyError):
        Statements(TEXT)["two"]


def test_the_first_migration_makes_the_tables() -> None:
    first, *_ = migrations("sqlite")

    assert "CREATE TABLE head" in first
