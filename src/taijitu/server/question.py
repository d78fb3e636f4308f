"""What a request asks, in its path and its query: texts, links, numbers, values in DAG-JSON."""

import json
from base64 import b64decode
from binascii import Error as BadBase64
from typing import Any, Final, cast
from urllib.parse import parse_qs

from taijitu.ipld.cid import InvalidLink, Link

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
            return json.loads(self.one(name), object_hook=plain)
        except (ValueError, RecursionError) as why:
            raise BadQuestion(f"`{name}` is not DAG-JSON: {why}") from None


def plain(found: dict[str, Any]) -> Any:
    """A map of DAG-JSON, which may stand for a link or for bytes. Raises `ValueError`."""
    if len(found) != 1 or "/" not in found:
        return found
    match found["/"]:
        case str(text):
            return Link.parse(text)
        case {"bytes": str(text)}:
            return octets(text)
        case value:
            raise ValueError(f"{{'/': …}} is kept for links and bytes: {cast('object', value)!r}")


def octets(text: str) -> bytes:
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except BadBase64 as why:
        raise ValueError(f"bytes that are not base64: {why}") from None
