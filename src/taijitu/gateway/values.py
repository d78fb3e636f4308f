"""DAG-CBOR and DAG-JSON: as they are, one as the other, or as a page for people. Pure."""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Final, Literal, TypeAlias, cast

from taijitu.gateway.listing import document, shown, title_of
from taijitu.ipld import dagcbor, dagjson
from taijitu.ipld.cid import DAG_CBOR, DAG_JSON, Link
from taijitu.unixfs.failures import InvalidUnixFS

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

DECODERS: Final[Mapping[int, Callable[[bytes], Any]]] = {
    DAG_CBOR: dagcbor.decode,
    DAG_JSON: dagjson.decode,
}

PAGE_SIZE_MAX: Final = 256 * 1024
"""Bytes of a block that is shown as a page."""

INDENT: Final = "  "
DEPTH_SHOWN_MAX: Final = 100
"""Maps and lists inside each other that a page shows."""


class NoSuchForm(ValueError):
    """A block of this codec is not to be had in this language."""


def written(link: Link, block: bytes, rest: tuple[str, ...], language: Language) -> bytes:
    """A block, or the value in it that `rest` leads to, in a language.

    As it is, byte for byte, where it is written in that already. Raises `NoSuchForm`, and
    `InvalidUnixFS` for a block that is not what its link says.
    """
    own = LANGUAGES.get(link.codec)
    if own is None:
        raise NoSuchForm(f"{link} is no data in itself: ask for it as it is, or as raw or car")
    if own not in DECODERS_BY_NAME:
        if own == language and not rest:
            return block
        raise NoSuchForm(f"{link} is {own}, and to be had as nothing else")
    value = value_in(link, block)
    if not rest and own.removeprefix("dag-") == language.removeprefix("dag-"):
        return block
    encode = dagjson.encode if language.endswith("json") else dagcbor.encode
    try:
        return encode(within(value, rest))
    except dagcbor.EncodeError as why:
        raise NoSuchForm(f"what is in {link} cannot be said in {language}: {why}") from None


DECODERS_BY_NAME: Final = frozenset(LANGUAGES[codec] for codec in DECODERS)


def value_in(link: Link, block: bytes) -> Any:
    """Raises `InvalidUnixFS`."""
    try:
        return DECODERS[link.codec](block)
    except dagcbor.DecodeError as why:
        raise InvalidUnixFS(f"block {link}: {why}") from None


def within(value: Any, rest: tuple[str, ...]) -> Any:
    """What a path that was found to lead somewhere leads to."""
    for segment in rest:
        key = int(segment) if value.__class__ is list else segment
        value = value[key]
    return value


def page(
    root: str, segments: tuple[str, ...], link: Link, block: bytes, rest: tuple[str, ...]
) -> bytes:
    """A value for people, with links that lead on. Raises `InvalidUnixFS`."""
    try:
        text = tree(within(value_in(link, block), rest))
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


def tree(value: object, depth: int = 0) -> str:
    """A value in HTML, much as DAG-JSON writes it, over several lines."""
    match value:
        case Link():
            return f'<a href="/ipfs/{value}">{value}</a>'
        case dict() | list() if not value:
            return "{}" if isinstance(value, dict) else "[]"
        case dict() | list() if depth >= DEPTH_SHOWN_MAX:
            return "…"
        case dict():
            fields = cast("dict[str, object]", value)
            lines = [f"{scalar(key)}: {tree(each, depth + 1)}" for key, each in fields.items()]
            return block_of("{", lines, "}", depth)
        case list():
            items = cast("list[object]", value)
            return block_of("[", [tree(each, depth + 1) for each in items], "]", depth)
        case _:
            return scalar(value)


def block_of(begin: str, lines: list[str], end: str, depth: int) -> str:
    inner, outer = "\n" + INDENT * (depth + 1), "\n" + INDENT * depth
    return f"{begin}{inner}{f',{inner}'.join(lines)}{outer}{end}"


def scalar(value: object) -> str:
    return escape(dagjson.encode(value).decode(), quote=False)
