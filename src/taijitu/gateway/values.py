"""DAG-CBOR and DAG-JSON: as they are, one as the other, or as a page for people. Pure."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final, Literal, TypeAlias, cast

from taijitu.gateway.listing import document, shown, title_of
from taijitu.ipld import dagcbor, dagjson
from taijitu.ipld.cid import DAG_CBOR, DAG_JSON, Link
from taijitu.unixfs.failures import InvalidUnixFS, OverLimit
from taijitu.unixfs.path import DECODERS, value_of

JSON: Final = 0x0200
CBOR: Final = 0x51

Language: TypeAlias = Literal["dag-json", "dag-cbor", "json", "cbor"]

LANGUAGES: Final[Mapping[int, Language]] = {
    DAG_JSON: "dag-json",
    DAG_CBOR: "dag-cbor",
    JSON: "json",
    CBOR: "cbor",
}
"""What blocks of these codecs are written in."""

TYPES: Final[Mapping[Language, str]] = {
    "dag-json": "application/vnd.ipld.dag-json",
    "dag-cbor": "application/vnd.ipld.dag-cbor",
    "json": "application/json",
    "cbor": "application/cbor",
}

PAGE_SIZE_MAX: Final = 256 * 1024
"""Bytes of a block that is shown as a page."""

WRITTEN_SIZE_MAX: Final = 6 * 1024 * 1024
"""Bytes of data in another language. What people write grows to half as much again; what is made to
grow, six times."""

INDENT: Final = "  "
DEPTH_SHOWN_MAX: Final = 100
"""Maps and lists inside each other that a page shows."""
TEXT_SIZE_MAX: Final = 1024 * 1024
"""Characters of data after which a page ends: lines deep inside are long."""


class NoSuchForm(ValueError):
    """A block of this codec is not to be had in this language."""


def written(link: Link, block: bytes, rest: tuple[str, ...], language: Language) -> bytes:
    """A block, or the value in it that `rest` leads to, in a language.

    As it is, byte for byte, where it is written in that already. Raises `NoSuchForm`,
    `OverLimit`, and what `path.value_of` raises.
    """
    own = LANGUAGES.get(link.codec)
    if own is None:
        raise NoSuchForm(f"{link} is no data in itself: ask for it as it is, or as raw or car")
    if own not in DECODERS_BY_NAME:
        if own == language and not rest:
            return block
        raise NoSuchForm(f"{link} is {own}, and to be had as nothing else")
    value = value_of(link, block)
    if not rest and own.removeprefix("dag-") == language.removeprefix("dag-"):
        return block
    encode = dagjson.encode if language.endswith("json") else dagcbor.encode
    try:
        data = encode(within(value, rest))
    except dagcbor.EncodeError as why:
        raise NoSuchForm(f"what is in {link} cannot be said in {language}: {why}") from None
    if len(data) > WRITTEN_SIZE_MAX:
        raise OverLimit(f"{link} has {len(data)} bytes in {language}: ask for it as it is")
    return data


DECODERS_BY_NAME: Final = frozenset(LANGUAGES[codec] for codec in DECODERS)


def within(value: Any, rest: tuple[str, ...]) -> Any:
    """What a path that was found to lead somewhere leads to."""
    for segment in rest:
        key = int(segment) if value.__class__ is list else segment
        value = value[key]
    return value


def page(
    root: str, segments: tuple[str, ...], link: Link, block: bytes, rest: tuple[str, ...]
) -> bytes:
    """A value for people, with links that lead on. Raises what `path.value_of` raises."""
    try:
        text = tree(within(value_of(link, block), rest))
    except dagcbor.EncodeError as why:
        raise InvalidUnixFS(f"block {link}: {why}") from None
    ways = [("DAG-JSON", "dag-json"), ("DAG-CBOR", "dag-cbor")]
    ways += [] if rest else [("block", "raw"), ("CAR", "car")]
    links = " · ".join(f'<a href="?format={form}">{name}</a>' for name, form in ways)
    body = (
        f"<pre>{text}</pre>\n"
        f"<footer><p>{LANGUAGES[link.codec].upper()} <code>{link}</code> · {links}</p></footer>\n"
    )
    title = title_of(root, segments)
    return document(title, shown(title), body)


class TooLong(Exception):
    """A text has as many characters as it may have."""


class Text:
    """HTML that is being written. What has gone into it stays when there is too much."""

    def __init__(self, size_max: int) -> None:
        self.parts: list[str] = []
        self.left = size_max

    def add(self, part: str) -> None:
        """Raises `TooLong`."""
        if self.left < 0:
            raise TooLong
        self.parts.append(part)
        self.left -= len(part)


def tree(value: object) -> str:
    """A value in HTML, much as DAG-JSON writes it, over several lines; as much as a page shows."""
    text = Text(TEXT_SIZE_MAX)
    try:
        write(text, value, 0)
    except TooLong:
        text.parts.append("\n…")
    return "".join(text.parts)


def write(text: Text, value: object, depth: int) -> None:
    """Raises `TooLong`."""
    match value:
        case Link():
            text.add(f'<a href="/ipfs/{value}">{value}</a>')
        case dict() | list() if not value:
            text.add("{}" if isinstance(value, dict) else "[]")
        case dict() | list() if depth >= DEPTH_SHOWN_MAX:
            text.add("…")
        case dict():
            fields = cast("dict[str, object]", value).items()
            items = ((f"{scalar(key)}: ", each) for key, each in fields)
            write_all(text, "{", items, "}", depth)
        case list():
            items = (("", each) for each in cast("list[object]", value))
            write_all(text, "[", items, "]", depth)
        case _:
            text.add(scalar(value))


def write_all(
    text: Text, begin: str, items: Iterable[tuple[str, object]], end: str, depth: int
) -> None:
    """Values with what stands before each, one a line. Raises `TooLong`."""
    line, before = "\n" + INDENT * (depth + 1), begin
    for name, each in items:
        text.add(f"{before}{line}{name}")
        write(text, each, depth + 1)
        before = ","
    text.add("\n" + INDENT * depth + end)


def scalar(value: object) -> str:
    return escape(dagjson.encode(value).decode(), quote=False)
