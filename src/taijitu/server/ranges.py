"""Which part of an object a request wants (RFC 9110, sections 13 and 14): pure questions.

One range is served. More than one in a request is answered with the whole, which the RFC allows.
"""

import re
from typing import Final, Literal, NamedTuple, TypeAlias

RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE)


class Part(NamedTuple):
    """`length` bytes from `start` on."""

    start: int
    length: int


Unsatisfiable: TypeAlias = Literal["unsatisfiable"]


def part_of(header: str | None, size: int) -> Part | Unsatisfiable | None:
    """The part that a `Range` header asks for, of an object of `size` bytes.

    `None`: no range, or one that is to be ignored: answer with the whole.
    """
    match = RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first == "":
        length = min(int(last), size)
        return Part(size - length, length) if length else "unsatisfiable"
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        return "unsatisfiable"
    end = min(int(last) + 1, size) if last else size
    return Part(start, end - start)


def holds(header: str | None, etag: str) -> bool:
    """Whether `If-Match` lets a request pass: absent, `*`, or this tag (strong comparison)."""
    return header is None or not {"*", etag}.isdisjoint(listed(header))


def known(header: str | None, etag: str) -> bool:
    """Whether `If-None-Match` says that the client has the object (weak comparison)."""
    tags = [] if header is None else listed(header)
    return any(tag in ("*", etag) for tag in (tag.removeprefix("W/") for tag in tags))


def listed(header: str) -> list[str]:
    return [tag.strip() for tag in header.split(",")]


def range_holds(if_range: str | None, etag: str) -> bool:
    """Whether a range is still of the object that the client has a part of. `If-Range` compares
    strongly; a date in it never matches, since objects here have none."""
    return if_range is None or if_range.strip() == etag
