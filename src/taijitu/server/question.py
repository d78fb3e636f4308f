"""What a request asks, in its path and its query: texts, links, numbers, values in DAG-JSON."""

from typing import Any, Final
from urllib.parse import parse_qs

from taijitu.ipld import dagjson
from taijitu.ipld.cid import InvalidLink, Link
from taijitu.ipld.dagcbor import DecodeError

FIELDS_MAX: Final = 200
"""Fields of one query."""

DIGITS_MAX: Final = 16


class BadQuestion(ValueError):
    """A question that makes no sense. The text says why, without a full stop."""


class Question:
    """`thing` is the end of the path. Everything raises `BadQuestion`."""

    def __init__(self, thing: str, query: str) -> None:
        self.thing = thing
        try:
            self.given = parse_qs(query, keep_blank_values=True, max_num_fields=FIELDS_MAX)
        except ValueError as why:
            raise BadQuestion(f"the query cannot be read: {why}") from None

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return self.given.get(name, [])

    def one(self, name: str) -> str:
        """The one value of a field."""
        found = self.all(name)
        if len(found) != 1:
            raise BadQuestion(f"`{name}` has to be given, once")
        return found[0]

    def link(self, text: str) -> Link:
        try:
            return Link.parse(text)
        except InvalidLink as why:
            raise BadQuestion(f"{text[:80]!r} is not a link: {why}") from None

    def number(self, text: str) -> int:
        """A whole number that is not negative."""
        if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX):
            raise BadQuestion(f"{text[:80]!r} is not a whole number")
        return int(text)

    def natural(self, name: str, maximum: int, default: int | None = None) -> int:
        """The number in a field, which has to be there if there is no default."""
        if default is not None and not self.all(name):
            return default
        found = self.number(self.one(name))
        if found > maximum:
            raise BadQuestion(f"`{name}` is at most {maximum}, not {found}")
        return found

    def value(self, name: str, default: object) -> Any:
        """The value in a field, in DAG-JSON; `default` if there is none."""
        if not self.all(name):
            return default
        try:
            return dagjson.decode(self.one(name).encode())
        except DecodeError as why:
            raise BadQuestion(f"`{name}` is {why}") from None
