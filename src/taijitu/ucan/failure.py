"""Why something is not authorised: a tree of reasons, told as indented text.

Law: telling is bounded. A tree may share branches, so that its text would be exponentially
longer than the tree; `told` stops at a number of characters, whatever the tree.
"""

from collections.abc import Callable
from json import dumps
from typing import Any, Final, cast

from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record

FAILURE_TEXT_MAX: Final = 16_384
"""Characters of the text that explains one refusal."""
VALUE_TEXT_MAX: Final = 4_096
"""Characters of one value quoted in such a text."""
BYTES_SHOWN_MAX: Final = 64
"""Bytes of a byte string that are quoted."""
CUT: Final = "…"


class Failure(Record, eq=False):
    """One reason, and the reasons behind it."""

    head: str | Callable[[], str]
    """One line or more; called only if the text is told."""
    causes: tuple["Failure", ...] = ()


def told(failure: Failure, limit: int = FAILURE_TEXT_MAX) -> str:
    """The reasons as text: each cause on its own line, two spaces deeper than what it explains."""
    lines: list[str] = []
    left = limit
    waiting: list[tuple[Failure, int]] = [(failure, 0)]
    while waiting and left > 0:
        reason, depth = waiting.pop()
        head = reason.head if isinstance(reason.head, str) else reason.head()
        for number, line in enumerate(head.split("\n")):
            dash = "- " if depth and number == 0 else ""
            lines.append("  " * depth + dash + line)
            left -= len(lines[-1]) + 1
        waiting.extend((cause, depth + 1) for cause in reversed(reason.causes))
    text = "\n".join(lines)
    if len(text) > limit:
        return text[:limit] + CUT
    return text if not waiting else f"{text}\n{CUT}"


def quoted(value: Any) -> str:
    """A value as `JSON.stringify` shows it: links as `{"/": …}`, bytes by their index."""
    text = dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= VALUE_TEXT_MAX else text[:VALUE_TEXT_MAX] + CUT


def _plain(value: Any) -> Any:
    kind = value.__class__
    if kind is Link:
        return {"/": str(value)}
    if kind is dict:
        return {key: _plain(item) for key, item in value.items()}
    if kind is list:
        return [_plain(item) for item in cast("list[Any]", value)]
    if kind is bytes:
        return {str(index): byte for index, byte in enumerate(value[:BYTES_SHOWN_MAX])}
    if kind is float and value.is_integer():
        return int(value)
    return value
