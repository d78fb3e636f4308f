"""The entries of a directory, in an order in which a listing can go on where it ended.

Law: flat memory, and no more blocks than it takes to find the entries that are asked for. In a
sharded directory each entry stands where the hash of its name puts it: nothing can be listed twice,
and nobody can make a walk long without naming that many entries.
"""

from collections.abc import Iterator
from typing import NamedTuple

from taijitu.ipld.cid import Link
from taijitu.ipld.dagpb import PbLink
from taijitu.unixfs.directory import NAME_SIZE_MAX, is_addressable, sought_bytes
from taijitu.unixfs.failures import BadPath, InvalidUnixFS, OverLimit
from taijitu.unixfs.node import Directory, Shard, Slot
from taijitu.unixfs.path import as_shard
from taijitu.unixfs.walk import Stream, fetch
from taijitu.unixfs.way import SHARD_DEPTH_MAX, Way


class Entry(NamedTuple):
    name: str
    """Bytes that are not UTF-8 stand in it as `surrogateescape` puts them."""
    link: Link
    size: int | None
    """Bytes of all its blocks: a claim that nobody has checked."""

    @property
    def is_addressable(self) -> bool:
        """Can a path lead to it? One that is called `..` is best left alone."""
        return is_addressable(sought_bytes(self.name))


def entries(node: Directory | Shard, after: str | None = None) -> Stream[Entry]:
    """The entries behind the one called `after`, or all: by name, or in the order of the shards.

    Of two with one name only the first is listed, as only that can be reached. Raises
    `InvalidUnixFS` for a shard that is none, is empty, or holds a name that does not belong there,
    `OverLimit`, also for a name of more than `NAME_SIZE_MAX` bytes, and `BadPath` for such an
    `after`.
    """
    start = None if after is None else sought_bytes(after)
    if start is not None and len(start) > NAME_SIZE_MAX:
        raise BadPath(f"no entry has a name of {len(start)} bytes")
    if isinstance(node, Directory):
        yield from _of_directory(node, start)
    else:
        yield from _of_shards(node, start)


def _of_directory(node: Directory, start: bytes | None) -> Iterator[Entry]:
    last = start
    for link in sorted(node.links, key=_name):
        name = _name(link)
        if last is None or name > last:
            _check_name(name)
            yield _entry(name, link.link, link.size)
            last = name


def _name(link: PbLink) -> bytes:
    return link.name or b""


def _of_shards(root: Shard, start: bytes | None) -> Stream[Entry]:
    """Depth first. `path` holds the slots of the shards that are open, `edge` whether all of them
    lie on the way to `start`."""
    way = None if start is None else Way(start, root.fanout)
    levels = [(root, _slots(root, way, 0))]
    path: list[int] = []
    while levels:
        shard, slots = levels[-1]
        number, slot = next(slots, (0, None))
        if slot is None:
            levels.pop()
            path = path[:-1]
            continue
        if slot.name:
            _check_place(slot, shard.fanout, [*path, number])
            if slot.name != start:
                yield _entry(slot.name, slot.link, slot.size)
            continue
        path.append(number)
        if len(path) == SHARD_DEPTH_MAX:
            raise OverLimit(f"{slot.link} is below {SHARD_DEPTH_MAX} shards of one directory")
        below = as_shard(shard, slot.link, (yield from fetch(slot.link)))
        on_edge = way is not None and all(way.slot(at) == each for at, each in enumerate(path))
        levels.append((below, _slots(below, way if on_edge else None, len(path))))


def _slots(shard: Shard, way: Way | None, depth: int) -> Iterator[tuple[int, Slot]]:
    """The slots of a shard, from that on through which `way` leads."""
    first = 0 if way is None else way.slot(depth)
    return ((number, slot) for number, slot in shard.slots.items() if number >= first)


def _check_place(slot: Slot, fanout: int, path: list[int]) -> None:
    _check_name(slot.name)
    way = Way(slot.name, fanout)
    if any(way.slot(depth) != number for depth, number in enumerate(path)):
        raise InvalidUnixFS(f"{slot.name[:80]!r} stands in a shard in which it does not belong")


def _check_name(name: bytes) -> None:
    """Hashing and showing what is longer would take very long."""
    if len(name) > NAME_SIZE_MAX:
        raise OverLimit(f"{name[:80]!r}… is a name of {len(name)} bytes: {NAME_SIZE_MAX} are read")


def _entry(name: bytes, link: Link, size: int | None) -> Entry:
    return Entry(name.decode("utf-8", "surrogateescape"), link, size)
