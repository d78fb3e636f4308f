"""The bytes of a file, or of a part of it, from the blocks that hold them and no others.

Law: a part has as many bytes as its parent says, or the walk ends with an error, not with other
bytes. Depth and the number of links that are held have limits.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from taijitu.ipld.cid import RAW, Link
from taijitu.unixfs.failures import InvalidUnixFS, OverLimit
from taijitu.unixfs.node import File, Part, read
from taijitu.unixfs.walk import Stream, fetch, is_inline

DEPTH_MAX: Final = 32
"""Nodes of a file above each other. Of a width of two they hold four milliard leaves."""
OPEN_PARTS_MAX: Final = 65_536
"""Parts of all the nodes on the way down, the first included: 15 MiB. Nodes of 1,024 take a few
thousand."""


class Piece(NamedTuple):
    """The bytes `start` … `stop` of a raw block, which has `size` of them."""

    link: Link
    size: int
    start: int
    stop: int

    def of(self, block: bytes) -> memoryview:
        """The bytes, given the block. Raises `InvalidUnixFS` if that is of another size."""
        if len(block) != self.size:
            raise InvalidUnixFS(_other_size(self.link, self.size, len(block)))
        return memoryview(block)[self.start : self.stop]


def pieces(file: File, start: int = 0, stop: int | None = None) -> Stream[Piece | memoryview]:
    """The bytes `start` … `stop` of a file, in order: bytes at hand, or where they are.

    What is beyond the end of the file is left out. Raises `InvalidUnixFS` for a part that is no
    file or of another size, and `OverLimit`.
    """
    start, stop = max(start, 0), file.size if stop is None else min(stop, file.size)
    if start >= stop:
        return
    check_width(len(file.parts))
    if start < len(file.content):
        yield memoryview(file.content)[start:stop]
    below = parts_in(file.parts, len(file.content), start, stop)
    # No node is held but the last one: its content may be as large as a block.
    levels, open_parts = [(below, len(file.parts))], len(file.parts)
    del file
    while levels:
        parts, count = levels[-1]
        found = next(parts, None)
        if found is None:
            levels.pop()
            open_parts -= count
            continue
        part, at = found
        begin, end = max(start - at, 0), min(stop - at, part.size)
        if part.link.codec == RAW and not is_inline(part.link):
            yield Piece(part.link, part.size, begin, end)
            continue
        child = as_part(part, (yield from fetch(part.link)))
        if child.content[begin:end]:
            yield memoryview(child.content)[begin:end]
        if child.parts:
            open_parts += len(child.parts)
            check_depth(part.link, len(levels), open_parts)
            below = parts_in(child.parts, at + len(child.content), start, stop)
            levels.append((below, len(child.parts)))


def parts_in(parts: Sequence[Part], at: int, start: int, stop: int) -> Iterator[tuple[Part, int]]:
    """Those of `parts` that hold any of the bytes `start` … `stop`, and where each begins, if the
    first begins `at`."""
    for part in parts:
        if at >= stop:
            return
        if part.size and at + part.size > start:
            yield part, at
        at += part.size


def as_part(part: Part, block: bytes) -> File:
    """A part of a file, read. Raises `InvalidUnixFS` if it is not what its parent says."""
    child = read(part.link, block)
    if not isinstance(child, File):
        raise InvalidUnixFS(f"a part of a file, {part.link}, is no file")
    if child.size != part.size:
        raise InvalidUnixFS(_other_size(part.link, part.size, child.size))
    return child


def _other_size(link: Link, said: int, found: int) -> str:
    return f"a file says that its part {link} has {said} bytes, and it has {found}"


def check_depth(link: Link, depth: int, open_parts: int) -> None:
    """Raises `OverLimit` for a file that is deeper or wider than any that is meant to be read."""
    if depth >= DEPTH_MAX:
        raise OverLimit(f"{link} is below more than {DEPTH_MAX} nodes of one file")
    if open_parts > OPEN_PARTS_MAX:
        raise OverLimit(f"{link} and the nodes above it have more than {OPEN_PARTS_MAX} parts")


def check_width(parts: int) -> None:
    """Raises `OverLimit` for a file whose first node alone has more parts than are held."""
    if parts > OPEN_PARTS_MAX:
        raise OverLimit(f"a node of a file has more than {OPEN_PARTS_MAX} parts")
