"""How sizes and times are told to people."""

import sys
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

WIDTH: Final = 80
"""Columns of a line."""

UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
STEP: Final = 1024
"""Of each unit in the next."""

DIGITS: Final = 3
"""How many digits of a size are told, at least."""


def size(bytes_: int) -> str:
    """`0 B`, `1.5 KiB`, `10 GiB`: three digits, and never rounded up to something it is not."""
    if bytes_ < 0:
        return f"-{size(-bytes_)}"
    unit = 0
    while bytes_ >= STEP ** (unit + 1) and unit < len(UNITS) - 1:
        unit += 1
    whole = bytes_ // STEP**unit
    places = max(0, DIGITS - len(str(whole))) if unit else 0
    parts = bytes_ * 10**places // STEP**unit
    text = f"{parts // 10**places}.{parts % 10**places:0{places}}" if places else f"{whole}"
    return f"{text.rstrip('0').rstrip('.') if places else text} {UNITS[unit]}"


def moment(ms: int) -> str:
    """A time (ms since 1970) as people write it, in UTC: `2026-03-01 12:00:00.250`."""
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return at.strftime("%Y-%m-%d %H:%M:%S.") + f"{ms % 1000:03}"


def span(ms: int) -> str:
    """How long something lasted: `0 ms`, `1.2 s`, `5 min`, `24 h`, `3 days`."""
    if ms < 1000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms / 1000:.3g} s"
    if ms < 2 * 3_600_000:
        return f"{ms // 60_000} min"
    if ms < 3 * 86_400_000:
        return f"{ms // 3_600_000} h"
    return f"{ms // 86_400_000} days"


def count(number: int, one: str, many: str) -> str:
    """`1 entry`, `2 entries`."""
    return f"{number} {one if number == 1 else many}"


def printable(text: str) -> str:
    """A text on one line, without what would tell a terminal to do something."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def text(name: str) -> str:
    """The name of a file as a text that can be written, whatever its bytes are."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def columns(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values, one pair a line, the values below each other."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows)


def paragraphs(rows: Sequence[tuple[str, str]]) -> str:
    """The same for sentences, which go on below where they are longer than a line."""
    indent = " " * (max((len(name) for name, _ in rows), default=0) + 2)
    return "\n".join(
        textwrap.fill(text, WIDTH, initial_indent=f"{name:{len(indent)}}", subsequent_indent=indent)
        for name, text in rows
    )


def print_json(value: Any) -> None:
    """A value for programs, on a line of its own."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
