"""SQL lives in `.sql` files; here it gets from there into the program, by name."""

import re
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "sql"

NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
COMMENT = re.compile(r"^\s*--.*\n", re.MULTILINE)
ROW = re.compile(r"(\([?, ]+\)), \.\.\.")


class Statements:
    """The named statements of one file, ready to be executed.

    A statement with a row `(?, ?), ...` stands for a family: `many` writes it for n rows. Its text
    is made once for every n, so that a connection finds it among those it has prepared.
    """

    def __init__(self, text: str) -> None:
        _, *parts = NAME.split(text)
        pairs = zip(parts[::2], parts[1::2], strict=True)
        self._single = {name: clean(body) for name, body in pairs}
        self._many: dict[tuple[str, int], str] = {}

    def __getitem__(self, name: str) -> str:
        return self._single[name]

    def many(self, name: str, rows: int) -> str:
        """The statement `name` for a number of rows, at least one."""
        text = self._many.get((name, rows))
        if text is None:
            text = ROW.sub(lambda row: ", ".join([row[1]] * rows), self._single[name])
            self._many[name, rows] = text
        return text


def statements(backend: str) -> Statements:
    """The statements of a backend, from `sql/<backend>/queries.sql`."""
    return Statements((FOLDER / backend / "queries.sql").read_text("utf-8"))


def migrations(backend: str) -> list[str]:
    """The steps that make a new database, and an old one new: the text at index n turns schema
    version n into n + 1. Files are named `0001_what.sql` and have no gaps."""
    files = sorted((FOLDER / backend / "migrations").glob("*.sql"))
    for number, file in enumerate(files, start=1):
        if int(file.name.split("_")[0]) != number:
            raise ValueError(f"{file.name} should be migration number {number}")
    return [file.read_text("utf-8") for file in files]


def clean(body: str) -> str:
    return COMMENT.sub("", body).strip().rstrip(";")
