"""A block as what it is: a file or a part of one, a directory, a shard of one, or a symlink.

Law: a node that was read agrees with itself. Whether the blocks it links to are what it says they
are, is found out by those who go there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from taijitu.ipld import dagpb
from taijitu.ipld.cid import DAG_PB, RAW, Link
from taijitu.ipld.dagpb import PbLink
from taijitu.unixfs import data as messages
from taijitu.unixfs.data import Data, Kind, Time
from taijitu.unixfs.failures import InvalidUnixFS, NotUnixFS
from taijitu.unixfs.way import FANOUT_MAX, FANOUT_MIN, HASH_TYPE, width_of

TARGET_SIZE_MAX: Final = 4_096
"""Bytes of the target of a symlink, as on Linux."""


class Part(NamedTuple):
    """A part of a file: `size` of its bytes, behind `link`."""

    link: Link
    size: int


@dataclass(frozen=True, slots=True)
class File:
    """`content`, then the bytes of each of `parts`: `size` in all."""

    size: int
    content: bytes
    parts: tuple[Part, ...] = ()
    mode: int | None = None
    mtime: Time | None = None


@dataclass(frozen=True, slots=True)
class Directory:
    """The links of its entries, as they stand in the block."""

    links: Sequence[PbLink]
    mode: int | None = None
    mtime: Time | None = None


class Slot(NamedTuple):
    """An entry of a directory, or a shard of it: then `name` is empty."""

    name: bytes
    link: Link
    size: int | None


@dataclass(frozen=True, slots=True)
class Shard:
    """The slots that are taken, in their order."""

    fanout: int
    slots: dict[int, Slot]
    mode: int | None = None
    mtime: Time | None = None


@dataclass(frozen=True, slots=True)
class Symlink:
    target: bytes
    mode: int | None = None
    mtime: Time | None = None


Node: TypeAlias = File | Directory | Shard | Symlink


def read(link: Link, block: bytes) -> Node:
    """What the block behind `link` is.

    Raises `NotUnixFS` for a codec that is neither raw nor DAG-PB, and `InvalidUnixFS` for a block
    that is malformed, of a type that nobody uses, or whose numbers do not add up.
    """
    if link.codec == RAW:
        return File(len(block), block)
    if link.codec != DAG_PB:
        raise NotUnixFS(f"{link} is not UnixFS: its codec is {link.codec:#x}")
    try:
        return _read(block)
    except (dagpb.DecodeError, InvalidUnixFS) as error:
        raise InvalidUnixFS(f"block {link}: {error}") from error


def _read(block: bytes) -> Node:
    links, content = dagpb.decode(block)
    if content is None:
        raise InvalidUnixFS("not UnixFS: a DAG-PB node without data")
    data = messages.decode(content)
    match data.kind:
        case Kind.FILE | Kind.RAW:
            return _file(links, data)
        case Kind.DIRECTORY:
            return Directory(links, data.mode, data.mtime)
        case Kind.HAMT_SHARD:
            return _shard(links, data)
        case Kind.SYMLINK:
            return _symlink(links, data)
        case Kind.METADATA:
            raise InvalidUnixFS("nodes of the type Metadata are not in use")


def _file(links: Sequence[PbLink], data: Data) -> File:
    sizes = data.blocksizes
    if len(sizes) != len(links):
        raise InvalidUnixFS(f"a file has {len(links)} parts and the sizes of {len(sizes)}")
    if any(link.name for link in links):
        raise InvalidUnixFS("a part of a file has a name")
    size = len(data.content) + sum(sizes)
    if size != (data.filesize or 0):
        raise InvalidUnixFS(f"a file says it has {data.filesize} bytes, its parts have {size}")
    parts = tuple([Part(each.link, size) for each, size in zip(links, sizes, strict=True)])
    return File(size, data.content, parts, data.mode, data.mtime)


def _symlink(links: Sequence[PbLink], data: Data) -> Symlink:
    if links:
        raise InvalidUnixFS("a symlink has links")
    if not 0 < len(data.content) <= TARGET_SIZE_MAX:
        raise InvalidUnixFS(f"a symlink with a target of {len(data.content)} bytes")
    return Symlink(data.content, data.mode, data.mtime)


def _shard(links: Sequence[PbLink], data: Data) -> Shard:
    fanout = data.fanout or 0
    if data.hash_type != HASH_TYPE:
        raise InvalidUnixFS(f"a shard whose names are hashed with {data.hash_type}")
    if not FANOUT_MIN <= fanout <= FANOUT_MAX or fanout & (fanout - 1):
        raise InvalidUnixFS(f"a shard with a fan-out of {fanout}")
    width, slots = width_of(fanout), dict[int, Slot]()
    for link, name, size in links:
        prefix = (name or b"")[:width]
        number = _NUMBERS.get(prefix)
        if number is None or len(prefix) != width or number >= fanout:
            raise InvalidUnixFS(f"a shard with {prefix!r} for a slot")
        if number in slots:
            raise InvalidUnixFS(f"a shard with slot {number} twice")
        slots[number] = Slot((name or b"")[width:], link, size)
    if int.from_bytes(data.content, "big") != sum([1 << number for number in slots]):
        raise InvalidUnixFS("a shard whose bit field differs from its slots")
    ordered = slots if [*slots] == sorted(slots) else dict(sorted(slots.items()))
    return Shard(fanout, ordered, data.mode, data.mtime)


_NUMBERS: Final = {
    f"{number:0{width}X}".encode(): number
    for width in (1, 2, 3)
    for number in range(min(16**width, FANOUT_MAX))
}
"""Every spelling of a slot."""
