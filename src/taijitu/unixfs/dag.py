"""The blocks of a DAG, depth first: those on a path, then those of what it leads to.
They are what a trustless gateway puts into a CAR
(https://specs.ipfs.tech/http-gateways/trustless-gateway/).

Law: a block comes after the one that links to it, and those that a link carries inside never come.
What is remembered, what is pending, and what is read without being answered has limits. Where each
block is wanted once, each is walked once, in however many ways it is linked to, up to `SEEN_MAX` of
them; what comes again behind that is answered again, so that whoever counts answers has an end.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias, cast

from taijitu.ipld import dagpb
from taijitu.ipld.cid import DAG_CBOR, DAG_JSON, DAG_PB, RAW, Link
from taijitu.unixfs.block import Block
from taijitu.unixfs.content import as_part, check_depth, check_width, parts_in
from taijitu.unixfs.failures import InvalidUnixFS, OverLimit
from taijitu.unixfs.node import File, Node, Part, Shard, read
from taijitu.unixfs.path import as_shard, resolve, value_of
from taijitu.unixfs.span import Span
from taijitu.unixfs.walk import Stream, fetch, inline, is_inline
from taijitu.unixfs.way import SHARD_DEPTH_MAX

SEEN_MAX: Final = 262_144
"""Links that are remembered so that none comes twice. What comes later may."""
SILENT_MAX: Final = 4_096
"""Nodes that are read although they are not to come: they have come before, or a link carries them.
No file has more than a few."""
PENDING_MAX: Final = 262_144
"""Links that are still to be followed, over all levels of a DAG."""
DEPTH_MAX: Final = 4_096
"""Blocks above each other."""


class Scope(StrEnum):
    BLOCK = "block"
    ENTITY = "entity"
    """All of a file, or as much of a directory as it takes to list it."""
    ALL = "all"


class Leaf(NamedTuple):
    """A block that comes next, and that the walk need not read."""

    link: Link


Found: TypeAlias = Block | Leaf
"""A block that the walk has read, or one that it has not."""


class _Seen:
    """Which blocks have come, and below which all have."""

    def __init__(self, again: bool) -> None:
        self._again = again
        self._came: set[Link] = set()
        self._whole: set[Link] = set()
        self._silent = 0

    def comes(self, link: Link) -> bool:
        """Is it to be answered? Says so once, unless blocks may come again."""
        return not is_inline(link) and (self._again or _remember(self._came, link))

    def walks(self, link: Link) -> bool:
        """Is there anything new to be found in all that is below it?

        What a link carries is not remembered: it would fill the memory in which to look for what
        has come.
        """
        return self._again or is_inline(link) or _remember(self._whole, link)

    def passes(self, link: Link) -> None:
        """It was read and is not answered. Raises `OverLimit`."""
        self._silent += 1
        if self._silent > SILENT_MAX:
            raise OverLimit(f"{link} and others are linked to without end")


def _remember(links: set[Link], link: Link) -> bool:
    if link in links:
        return False
    if len(links) < SEEN_MAX:
        links.add(link)
    return True


def blocks(
    root: Link,
    segments: Sequence[str] = (),
    scope: Scope = Scope.ALL,
    span: Span | None = None,
    *,
    again: bool = False,
) -> Stream[Found]:
    """The blocks on the path, then those of what it leads to. A `span` asks for those that hold
    these bytes of a file, and implies the scope of an entity. With `again`, a block comes as often
    as there are links to it.

    Raises what `path.resolve` raises, `InvalidUnixFS`, and `OverLimit`.
    """
    seen = _Seen(again)
    link, around = yield from _on_the_way(root, segments, seen)
    if around is not None:
        if scope is Scope.ALL and span is None:
            yield from _all(links_of(link, around), seen)
    elif span is not None or scope is Scope.ENTITY:
        yield from _entity(link, span, seen)
    elif scope is Scope.ALL:
        yield from _all([link], seen)
    elif seen.comes(link):
        yield Leaf(link)


def _on_the_way(
    root: Link, segments: Sequence[str], seen: _Seen
) -> Generator[Link | Found, bytes | None, tuple[Link, bytes | None]]:
    """The blocks on the path. Returns the link that it leads to; and if it ends within the block
    behind that, this block, which has come."""
    path, block = resolve(root, segments), None
    try:
        wanted = next(path)
        while True:
            block = yield from _take(wanted, seen)
            wanted = path.send(block)
    except StopIteration as end:
        link, rest = end.value.link, end.value.rest
    if not rest:
        return link, None
    return link, inline(link) if is_inline(link) else block


def _take(link: Link, seen: _Seen) -> Generator[Link | Found, bytes | None, bytes]:
    """Read a block, and answer it unless it has come already."""
    block = yield from fetch(link)
    if seen.comes(link):
        yield Block(link, block)
    else:
        seen.passes(link)
    return block


def _all(links: Sequence[Link], seen: _Seen) -> Stream[Found]:
    """These blocks, and everything below them."""
    below = [*_stored(links)]
    levels, pending = [(iter(below), len(below))], len(below)
    while levels:
        children, count = levels[-1]
        link = next(children, None)
        if link is None:
            levels.pop()
            pending -= count
        elif link.codec not in _WITH_LINKS:
            if seen.comes(link):
                yield Leaf(link)
        elif seen.walks(link):
            below = [*_stored(links_of(link, (yield from _take(link, seen))))]
            pending += len(below)
            if len(levels) >= DEPTH_MAX or pending > PENDING_MAX:
                raise OverLimit(f"the DAG at {link} is too deep, or too wide")
            if below:
                levels.append((iter(below), len(below)))


def _stored(links: Iterable[Link]) -> Iterator[Link]:
    """Those that do not carry their blocks inside; and in place of one that does, those in what it
    carries, which is a part of the block around it, however deep it goes."""
    for link in links:
        if not is_inline(link):
            yield link
        elif link.codec in _WITH_LINKS:
            yield from _stored(links_of(link, inline(link)))


def _entity(link: Link, span: Span | None, seen: _Seen) -> Stream[Found]:
    if link.codec == DAG_PB:
        yield from _of_node((yield from _node(link, seen)), span, seen)
    elif seen.comes(link):
        yield Leaf(link)


def _node(link: Link, seen: _Seen) -> Generator[Link | Found, bytes | None, Node | None]:
    """Read a block, and answer it. Of what is no UnixFS, the entity is the block."""
    block = yield from _take(link, seen)
    try:
        return read(link, block)
    except InvalidUnixFS:
        return None


def _of_node(node: Node | None, span: Span | None, seen: _Seen) -> Stream[Found]:
    """What is below: a stream that holds no content of the node."""
    if isinstance(node, Shard):
        return _shards(node, seen)
    if not isinstance(node, File):
        return _none()
    bounds = None if span is None else span.within(node.size)
    if span is not None and bounds is None:
        return _none()
    return _file(node.parts, len(node.content), bounds, seen)


def _none() -> Stream[Found]:
    yield from ()


def _file(
    parts: Sequence[Part], at: int, bounds: tuple[int, int] | None, seen: _Seen
) -> Stream[Found]:
    """The blocks of a file behind its first `at` bytes that hold the bytes within `bounds`, or
    all."""
    check_width(len(parts))
    levels, open_parts = [(_parts(parts, at, bounds), len(parts))], len(parts)
    while levels:
        below, count = levels[-1]
        part, at = next(below, (None, 0))
        if part is None:
            levels.pop()
            open_parts -= count
        elif part.link.codec == RAW:
            if seen.comes(part.link):
                yield Leaf(part.link)
        elif not _is_whole(part, at, bounds) or seen.walks(part.link):
            child = as_part(part, (yield from _take(part.link, seen)))
            open_parts += len(child.parts)
            check_depth(part.link, len(levels), open_parts)
            levels.append((_parts(child.parts, at + len(child.content), bounds), len(child.parts)))


def _parts(
    parts: Sequence[Part], at: int, bounds: tuple[int, int] | None
) -> Iterator[tuple[Part, int]]:
    if bounds is None:
        return ((part, 0) for part in parts)
    return parts_in(parts, at, *bounds)


def _is_whole(part: Part, at: int, bounds: tuple[int, int] | None) -> bool:
    return bounds is None or (bounds[0] <= at and at + part.size <= bounds[1])


def _shards(root: Shard, seen: _Seen) -> Stream[Found]:
    """The shards below one."""
    levels = [(root, iter(root.slots.values()))]
    while levels:
        parent, slots = levels[-1]
        slot = next(slots, None)
        if slot is None:
            levels.pop()
        elif not slot.name and seen.walks(slot.link):
            if len(levels) >= SHARD_DEPTH_MAX:
                raise OverLimit(f"{slot.link} is below {SHARD_DEPTH_MAX} shards of one directory")
            shard = as_shard(parent, slot.link, (yield from _take(slot.link, seen)))
            levels.append((shard, iter(shard.slots.values())))


def links_of(link: Link, block: bytes) -> list[Link]:
    """The links in a block, in order. Raises `InvalidUnixFS`."""
    if link.codec == DAG_PB:
        try:
            return [each.link for each in dagpb.decode(block).links]
        except dagpb.DecodeError as error:
            raise InvalidUnixFS(f"block {link}: {error}") from error
    return [*_links_in(value_of(link, block))]


def _links_in(value: object) -> Iterator[Link]:
    if isinstance(value, Link):
        yield value
    elif isinstance(value, dict):
        for item in cast("dict[str, object]", value).values():
            yield from _links_in(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _links_in(item)


_WITH_LINKS: Final = frozenset((DAG_PB, DAG_CBOR, DAG_JSON))
"""The codecs of blocks that may link to others."""
