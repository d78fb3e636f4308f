"""Blocks of files and directories, spoiled: what reads them refuses in its own words, or agrees
with itself, and comes to an end."""

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, Final

from support.walking import Store
from taijitu.ipld import dagjson, dagpb
from taijitu.ipld.cid import DAG_PB, RAW, Link, link_to
from taijitu.ipld.dagcbor import DecodeError
from taijitu.unixfs import data as messages
from taijitu.unixfs import span
from taijitu.unixfs.content import Piece, pieces
from taijitu.unixfs.dag import Scope, blocks
from taijitu.unixfs.data import Data, Kind, Time
from taijitu.unixfs.directory import DirectoryPacker
from taijitu.unixfs.failures import BadSpan, UnixFSError
from taijitu.unixfs.file import FilePacker
from taijitu.unixfs.listing import entries
from taijitu.unixfs.node import File, Shard, Symlink, read
from taijitu.unixfs.path import resolve
from taijitu.unixfs.walk import Stream, Walk
from unit.unixfs import hostile

STEPS_MAX: Final = 10_000
"""Blocks that a walk asks for, and answers, before it must have ended: the samples are small."""

SPANS: Final = [b"0:*", b"-5:*", b"3:-2", b"0:18446744073709551615"]
TEXTS: Final = [
    dagjson.encode({"a": [link_to(b"x", RAW), b"bytes", 1, 0.5, None], "b": {"/": 1, "c": "\n"}})
]
MESSAGES: Final = [
    messages.encode(Data(Kind.FILE, b"content", 300, (200, 93), mode=0o644, mtime=Time(-5, 6))),
    messages.encode(Data(Kind.HAMT_SHARD, b"\x01\x80", hash_type=0x22, fanout=256)),
]


@cache
def packed() -> Store:
    """A tree with everything in it: its blocks, in the order in which they came."""
    store, file, tree, many = Store(), FilePacker(4, 3), DirectoryPacker(), DirectoryPacker(0)
    store.keep_all(file.feed(bytes(range(60))))
    store.keep_all(file.end())
    for at in range(60):
        many.add(f"entry {at}", file.root)
    store.keep_all(many.end())
    tree.add("file", file.root)
    tree.add("many", many.root)
    store.keep_all(tree.end())
    hostile.directory(store, [("link", hostile.symlink(store, "../file"))])
    return store


def nodes() -> list[bytes]:
    """The blocks that link to others."""
    return [block for link, block in packed().items() if link.codec == DAG_PB]


def dag_pb(data: bytes, _: int) -> None:
    """Whatever is read is written in the one form that there is."""
    try:
        node = dagpb.decode(data)
    except dagpb.DecodeError:
        return
    again = dagpb.decode(dagpb.encode(node))
    assert again.data == node.data
    assert sorted(map(str, again.links)) == sorted(map(str, node.links))
    assert dagpb.encode(again) == dagpb.encode(node)


def dag_json(data: bytes, _: int) -> None:
    try:
        value = dagjson.decode(data)
    except DecodeError:
        return
    try:
        written = dagjson.encode(value)
    except dagjson.EncodeError:  # a number that others may not be able to read
        return
    assert dagjson.decode(written) == value


def message(data: bytes, _: int) -> None:
    try:
        said = messages.decode(data)
    except UnixFSError:
        return
    assert messages.decode(messages.encode(said)) == said


def entity_bytes(data: bytes, _: int) -> None:
    try:
        said = span.parse(data.decode("latin-1"))
    except BadSpan:
        return
    for size in (0, 1, 1000):
        bounds = said.within(size)
        assert bounds is None or 0 <= bounds[0] < bounds[1] <= size


def dag(data: bytes, _: int) -> None:
    """A root that may be anything, above blocks that are in order."""
    root = link_to(data, DAG_PB)
    store = Store({**packed(), root: data})
    for scope in Scope:
        for again in (False, True):
            lead(blocks(root, ["many", "entry 7"], scope, again=again), store)
            lead(blocks(root, [], scope, again=again), store)
    lead(blocks(root, [], span=span.Span(5, -5)), store)
    for path in (["file"], ["many", "entry 59"], ["link"]):
        lead(resolve(root, path), store)
    try:
        node = read(root, data)
    except UnixFSError:
        return
    if isinstance(node, File):
        found = lead(pieces(node), store)
        if found is not None:
            assert sum(map(length, found)) == node.size
    elif not isinstance(node, Symlink):
        found = lead(entries(node), store)
        if found is not None:
            names = [entry.name for entry in found]
            assert len(set(names)) == len(names)
            assert names == sorted(names, key=sortable) or isinstance(node, Shard)


def sortable(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def length(found: Piece | memoryview) -> int:
    return found.stop - found.start if isinstance(found, Piece) else len(found)


def lead(stream: Stream[Any] | Walk[Any], store: Store) -> list[Any] | None:
    """What a walk answers, or `None` if it refuses to go on, or a block is not there."""
    steps = [*islice(steps_of(stream, store), STEPS_MAX)]
    assert len(steps) < STEPS_MAX, "a walk without end"
    return None if None in steps else [step for step in steps if not isinstance(step, Link)]


def steps_of(stream: Stream[Any] | Walk[Any], store: Store) -> Iterator[Any]:
    """What a walk asks for and what it answers; `None` if it does not come to its end."""
    sent: bytes | None = None
    try:
        while True:
            step = stream.send(sent)
            sent = None
            if isinstance(step, Link):
                if step not in store:
                    yield None
                    return
                sent = store[step]
            elif isinstance(step, Piece) and step.link in store:
                step.of(store[step.link])
            yield step
    except StopIteration:
        return
    except UnixFSError:
        yield None
