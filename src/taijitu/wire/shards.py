"""Blocks in a row become CARs of a limited size (shards), the last of which names the root.

    shard       no roots       block block block …
    last shard  one root       block … root

Law: the same shards as `@storacha/upload-client` makes of the same blocks: a shard ends before the
block that it has no room for, and the root of the last one may drive its last blocks into another.
Only sizes are counted here; whoever has the bytes writes them.
"""

from typing import Final, NamedTuple

from taijitu.ipld import car, varint
from taijitu.ipld.cid import Link

SHARD_SIZE: Final = 133_169_152
"""Bytes of a shard: 127 MiB. Padded for Filecoin, it fills a power of two."""

NO_ROOTS: Final = car.encode((), ())
"""How a shard begins that is not the last."""


class TooLarge(ValueError):
    """A block that no shard has room for."""


class Position(NamedTuple):
    """Where a block lies in its shard."""

    offset: int
    length: int


class Cut(NamedTuple):
    """A shard: `head`, then the sections from byte `start` to byte `stop` of those that were added
    since the last cut."""

    head: bytes
    start: int
    stop: int
    slices: dict[bytes, Position]
    """By multihash."""

    @property
    def size(self) -> int:
        """Bytes of the CAR."""
        return len(self.head) + self.stop - self.start


class _Section(NamedTuple):
    multihash: bytes
    head_size: int
    size: int


class Sharder:
    """Add blocks in their order; cut where `has_room` says no; then end it with the root."""

    def __init__(self, size_max: int | None = SHARD_SIZE) -> None:
        """`size_max` in bytes; None to put everything into one."""
        self._size_max = size_max
        self._sections: list[_Section] = []
        self._length = 0

    def bound(self, size_max: int) -> None:
        """From here on shards have a limit, if they had none."""
        if self._size_max is None:
            self._size_max = size_max

    def has_room(self, link: Link, size: int) -> bool:
        """Is there room in this shard for a block of `size` bytes? Raises `TooLarge` if there is
        none in any."""
        if self._size_max is None:
            return True
        room = self._size_max - len(NO_ROOTS)
        section = len(section_head(link, size)) + size
        if section > room:
            raise TooLarge(f"the block {link} of {size} bytes does not fit into a shard")
        return not self._sections or self._length + section <= room

    def add(self, link: Link, size: int) -> bytes:
        """What stands in front of the block in the CAR."""
        head = section_head(link, size)
        self._sections.append(_Section(link.multihash, len(head), size))
        self._length += len(head) + size
        return head

    def cut(self) -> Cut:
        """The shard so far, which is not the last."""
        made = _cut(NO_ROOTS, 0, self._sections)
        self._sections, self._length = [], 0
        return made

    def end(self, root: Link) -> tuple[Cut, ...]:
        """The last shard, or the last two. Raises `TooLarge`, and `ValueError` without a block."""
        if not self._sections:
            raise ValueError("there is no block to end with")
        head = car.encode((root,), ())
        keep = len(self._sections)
        if self._size_max is not None:
            over, moved = len(head) + self._length - self._size_max, 0
            while moved < over:
                keep -= 1
                moved += self._sections[keep].head_size + self._sections[keep].size
                if not keep:
                    raise TooLarge(f"the root {root} does not fit into a shard with its block")
        first, last = self._sections[:keep], self._sections[keep:]
        if not last:
            return (_cut(head, 0, first),)
        before = _cut(NO_ROOTS, 0, first)
        return before, _cut(head, before.stop, last)


def section_head(link: Link, size: int) -> bytes:
    """What stands in front of a block of `size` bytes in a CAR."""
    name = link.data
    return varint.encode(len(name) + size) + name


def _cut(head: bytes, start: int, sections: list[_Section]) -> Cut:
    slices: dict[bytes, Position] = {}
    at = len(head)
    for multihash, head_size, size in sections:
        slices[multihash] = Position(at + head_size, size)
        at += head_size + size
    return Cut(head, start, start + at - len(head), slices)
