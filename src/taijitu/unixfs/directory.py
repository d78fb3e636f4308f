"""A directory becomes blocks: one while it is small, shards of 256 slots when it is large.

Law: the same blocks as `@storacha/upload-client` makes of the same entries, in whatever order they
are added. Names are what JavaScript makes of them: half of a surrogate pair becomes U+FFFD.
"""

from collections.abc import Generator, Iterable
from typing import Final, NamedTuple

from taijitu.ipld.dagpb import PbLink
from taijitu.unixfs import block as blocks
from taijitu.unixfs.block import Block, Packed
from taijitu.unixfs.data import Data, Kind
from taijitu.unixfs.failures import BadName
from taijitu.unixfs.way import HASH_TYPE, Way, width_of

SHARD_ABOVE: Final = 1_000
"""Entries of a directory that is still one block."""
FANOUT: Final = 256
"""Slots of a shard."""
NAME_SIZE_MAX: Final = 1_024
"""Bytes of a name, packed or read. File systems allow 255."""

_WIDTH: Final = width_of(FANOUT)


class DirectoryPacker:
    """Add the entries, in any order; then end it, and `root` is the directory."""

    def __init__(self, shard_above: int = SHARD_ABOVE) -> None:
        self._shard_above = shard_above
        self._entries: dict[bytes, Packed] = {}
        self._root: Packed | None = None

    @property
    def root(self) -> Packed:
        """The directory, once the blocks that `end` answers were taken to the last."""
        if self._root is None:
            raise RuntimeError("the directory has not ended")
        return self._root

    def add(self, name: str, entry: Packed) -> None:
        """Raises `BadName` for a name that is there already, or that no entry may have."""
        encoded = name_bytes(name)
        if encoded in self._entries:
            raise BadName(f"the directory has an entry {name[:80]!r} already")
        self._entries[encoded] = entry

    def end(self) -> Generator[Block, None, None]:
        """The blocks, children before parents, the root last. Raises `OverLimit` for names that
        were made to collide."""
        entries = self._entries.items()
        if len(entries) > self._shard_above:
            placed = [_Placed(Way(name, FANOUT), name, entry) for name, entry in entries]
            self._root = yield from _shards(placed, 0)
        else:
            links = [PbLink(entry.link, name, entry.dag_size) for name, entry in entries]
            block = blocks.node(Data(Kind.DIRECTORY), links)
            yield block
            self._root = Packed(block.link, blocks.dag_size(block, links))


def name_bytes(name: str) -> bytes:
    """The bytes of a name in a directory.

    Raises `BadName` for one that is empty, `.` or `..`, too long, or has `/` or NUL in it.
    """
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        encoded = _without_halves(name)
    if not is_addressable(encoded) or len(encoded) > NAME_SIZE_MAX:
        raise BadName(f"no entry of a directory may be called {name[:80]!r}")
    return encoded


def sought_bytes(name: str) -> bytes:
    """The bytes of a name that is looked for, which may have any bytes by `surrogateescape`."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _without_halves(name)


def _without_halves(name: str) -> bytes:
    return name.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def is_addressable(name: bytes) -> bool:
    """May it stand in a path?"""
    return name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name


class _Placed(NamedTuple):
    """An entry, and its way through the shards."""

    way: Way
    name: bytes
    entry: Packed


def _shards(entries: Iterable[_Placed], depth: int) -> Generator[Block, None, Packed]:
    """The shard of these entries at `depth`, after those below it."""
    slots: dict[int, list[_Placed]] = {}
    for each in entries:
        slots.setdefault(each.way.slot(depth), []).append(each)
    links: list[PbLink] = []
    for slot in sorted(slots):
        prefix = f"{slot:0{_WIDTH}X}".encode()
        first, *more = slots[slot]
        name, entry = first.name, first.entry
        if more:
            name, entry = b"", (yield from _shards(slots[slot], depth + 1))
        links.append(PbLink(entry.link, prefix + name, entry.dag_size))
    taken = sum([1 << slot for slot in slots])
    field = taken.to_bytes((taken.bit_length() + 7) // 8, "big")
    block = blocks.node(Data(Kind.HAMT_SHARD, field, hash_type=HASH_TYPE, fanout=FANOUT), links)
    yield block
    return Packed(block.link, blocks.dag_size(block, links))
