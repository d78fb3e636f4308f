"""What a path leads to: through directories, shards of directories, DAG-CBOR and DAG-JSON.

Law: a path never leads out of its root, and costs a limited number of blocks. Symlinks are not
followed: what they lead to depends on the path, not on the link.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from taijitu.ipld import dagcbor, dagjson
from taijitu.ipld.cid import DAG_CBOR, DAG_JSON, Link
from taijitu.unixfs.block import SIZE_MAX
from taijitu.unixfs.directory import NAME_SIZE_MAX, sought_bytes
from taijitu.unixfs.failures import BadPath, InvalidUnixFS, NotFound, NotUnixFS, OverLimit
from taijitu.unixfs.node import Directory, File, Shard, Symlink, read
from taijitu.unixfs.walk import Walk, fetch
from taijitu.unixfs.way import Way

SEGMENTS_MAX: Final = 1_000
"""Names in a path: each may take a block. File systems allow about twice that."""
VALUE_SIZE_MAX: Final = SIZE_MAX
"""Bytes of a DAG-CBOR or DAG-JSON block: a value in memory may be fifty times larger."""
INDEX_DIGITS_MAX: Final = 9
"""Digits of an index into a list."""


class Resolved(NamedTuple):
    link: Link
    """The block that the path leads to. If the path ends there, it was not asked for."""
    rest: tuple[str, ...]
    """The path that is left within a DAG-CBOR or DAG-JSON block: to something that is no link."""
    trail: tuple[Link, ...]
    """The root, then what each name led to, up to `link`."""


def resolve(root: Link, segments: Sequence[str]) -> Walk[Resolved]:
    """Follow the names from `root`. `.` and `..` are taken as they are in a URL.

    Names are text; bytes that are not UTF-8 stand in it as `surrogateescape` puts them. Raises
    `NotFound`, `BadPath` for one that leads out of the root, `InvalidUnixFS`, `NotUnixFS` for a
    block in which there are no names, and `OverLimit`.
    """
    todo = normal(segments)[::-1]
    trail = [root]
    while todo:
        at = trail[-1]
        block = yield from fetch(at)
        if at.codec in DECODERS:
            found, todo = _within(at, block, todo)
            if found is None:
                return Resolved(at, tuple(reversed(todo)), tuple(trail))
            trail.append(found)
        else:
            trail.append((yield from child(at, read(at, block), todo.pop())))
    return Resolved(trail[-1], (), tuple(trail))


def normal(segments: Sequence[str]) -> list[str]:
    """The path without empty names, `.` and `..`. Raises `BadPath`."""
    if len(segments) > SEGMENTS_MAX:
        raise BadPath(f"a path of more than {SEGMENTS_MAX} names")
    names: list[str] = []
    for segment in segments:
        if segment == "..":
            if not names:
                raise BadPath("a path leads out of its root")
            names.pop()
        elif segment not in ("", "."):
            names.append(segment)
    return names


def child(at: Link, node: Directory | Shard | File | Symlink, segment: str) -> Walk[Link]:
    """What `segment` names in the directory `node`, which is the block behind `at`."""
    name = sought_bytes(segment)
    match node:
        case Directory():
            found = next((each.link for each in node.links if each.name == name), None)
        case Shard():
            found = yield from _in_shards(node, name)
        case File():
            raise NotFound(at, segment, f"{at} is a file: nothing is in it")
        case Symlink():
            raise NotFound(at, segment, f"{at} is a symlink: it is not followed")
    if found is None:
        raise NotFound(at, segment, f"there is no {segment[:80]!r} in {at}")
    return found


def _in_shards(shard: Shard, name: bytes) -> Walk[Link | None]:
    if not 0 < len(name) <= NAME_SIZE_MAX:  # a slot without a name is no entry
        return None
    way, depth = Way(name, shard.fanout), 0
    while True:
        slot = shard.slots.get(way.slot(depth))
        if slot is None or slot.name:
            return slot.link if slot is not None and slot.name == name else None
        depth += 1
        shard = as_shard(shard, slot.link, (yield from fetch(slot.link)))


def as_shard(parent: Shard, link: Link, block: bytes) -> Shard:
    """The shard in a slot of `parent`. Raises `InvalidUnixFS` if it is none, or an empty one."""
    node = read(link, block)
    if not isinstance(node, Shard) or node.fanout != parent.fanout:
        raise InvalidUnixFS(f"{link} stands in a directory for a shard of it, and is none")
    if not node.slots:
        raise InvalidUnixFS(f"{link} is a shard of a directory, and empty")
    return node


DECODERS: Final[Mapping[int, Callable[[bytes], Any]]] = {
    DAG_CBOR: dagcbor.decode,
    DAG_JSON: dagjson.decode,
}
"""How blocks of these codecs, which hold a value each, are read."""


def value_of(link: Link, block: bytes) -> Any:
    """The value in a DAG-CBOR or DAG-JSON block.

    Raises `InvalidUnixFS`, `OverLimit`, and `NotUnixFS` for another one.
    """
    decode = DECODERS.get(link.codec)
    if decode is None:
        raise NotUnixFS(f"no path leads into {link}: its codec is {link.codec:#x}")
    if len(block) > VALUE_SIZE_MAX:
        raise OverLimit(f"{link} is larger than {VALUE_SIZE_MAX} bytes")
    try:
        return decode(block)
    except dagcbor.DecodeError as error:
        raise InvalidUnixFS(f"block {link}: {error}") from error


def _within(at: Link, block: bytes, todo: list[str]) -> tuple[Link | None, list[str]]:
    """Follow names within a block up to a link, and what is left then (the last name first)."""
    value = value_of(at, block)
    left = [*todo]
    while left:
        segment = left.pop()
        value = _item(at, value, segment)
        if isinstance(value, Link):
            return value, left
    return None, todo


def _item(at: Link, value: object, segment: str) -> object:
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        if segment in fields:
            return fields[segment]
    elif isinstance(value, list):
        items, index = cast("list[object]", value), _index(segment)
        if index is not None and index < len(items):
            return items[index]
    raise NotFound(at, segment, f"there is no {segment[:80]!r} in {at}")


def _index(segment: str) -> int | None:
    """The number that `segment` spells, if it is one and spelled in the only way."""
    if segment.isascii() and segment.isdecimal() and len(segment) <= INDEX_DIGITS_MAX:
        number = int(segment)
        return number if str(number) == segment else None
    return None
