"""A range of the bytes of a file, as `entity-bytes` spells it: `from:to`.

Law: both ends are inclusive and may count from the end of the file; what lies outside is left out.
"""

from typing import Final, NamedTuple

from taijitu.unixfs.failures import BadSpan

NUMBER_MAX: Final = 2**63 - 1
"""Some write it for "up to the end": files have no more bytes."""
DIGITS_MAX: Final = len(f"{NUMBER_MAX}")


class Span(NamedTuple):
    """From the byte `first` to the byte `last`; negative numbers count from the end, and `None` is
    the last byte of all."""

    first: int
    last: int | None = None

    def within(self, size: int) -> tuple[int, int] | None:
        """Where it starts and stops in a file of `size` bytes: `None` if none of them is in it."""
        first = self.first if self.first >= 0 else max(size + self.first, 0)
        last = size - 1 if self.last is None else self.last
        stop = min(last if last >= 0 else size + last, size - 1) + 1
        return (first, stop) if first < stop else None


def parse(text: str) -> Span:
    """The span that `from:to` spells, `to` being `*` for the end. Raises `BadSpan`."""
    first, colon, last = text.partition(":")
    if not colon:
        raise BadSpan(f"{text[:80]!r} is not from:to")
    return Span(_number(first), None if last == "*" else _number(last))


def _number(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()):
        raise BadSpan(f"{text[:80]!r} is not a number of bytes")
    if len(digits) > DIGITS_MAX or int(digits) > NUMBER_MAX:
        raise BadSpan(f"{text[:80]!r} is too large for a number of bytes: {NUMBER_MAX} at most")
    return int(text)
