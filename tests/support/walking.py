"""Leads walks through blocks that are all at hand."""

import tracemalloc
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from taijitu.ipld.cid import Link
from taijitu.unixfs.block import Block
from taijitu.unixfs.content import Piece, pieces
from taijitu.unixfs.listing import Entry, entries
from taijitu.unixfs.node import Directory, File, Shard, read
from taijitu.unixfs.path import resolve
from taijitu.unixfs.walk import Stream, Walk

Result = TypeVar("Result")


class Store(dict[Link, bytes]):
    """Blocks, and the links of those that were asked for."""

    def __init__(self, blocks: Mapping[Link, bytes] | None = None) -> None:
        super().__init__(blocks or {})
        self.asked: list[Link] = []

    def keep(self, block: Block) -> None:
        self[block.link] = bytes(block.data)

    def keep_all(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            self.keep(block)

    def get_block(self, link: Link) -> bytes:
        self.asked.append(link)
        return self[link]


def run(walk: Walk[Result], store: Store) -> Result:
    """What a walk returns."""
    try:
        wanted = next(walk)
        while True:
            wanted = walk.send(store.get_block(wanted))
    except StopIteration as end:
        return end.value


def answers(stream: Stream[Any], store: Store) -> list[Any]:
    """All that a walk answers."""
    found: list[Any] = []
    sent: bytes | None = None
    try:
        while True:
            step = stream.send(sent)
            sent = store.get_block(step) if isinstance(step, Link) else None
            if sent is None:
                found.append(step)
    except StopIteration:
        return found


def held_until(kind: type[object], stream: Stream[Any], store: Store) -> int:
    """The bytes that a walk holds when it first answers something of this kind."""
    sent: bytes | None = None
    tracemalloc.start()
    try:
        while True:
            step = stream.send(sent)
            if isinstance(step, kind):
                del step, sent
                return tracemalloc.get_traced_memory()[0]
            sent = store.get_block(step) if isinstance(step, Link) else None
    finally:
        tracemalloc.stop()


def file_at(link: Link, store: Store) -> File:
    node = read(link, store.get_block(link))
    assert isinstance(node, File)
    return node


def bytes_at(link: Link, store: Store, start: int = 0, stop: int | None = None) -> bytes:
    """The bytes `start` … `stop` of a file."""
    found = answers(pieces(file_at(link, store), start, stop), store)
    return b"".join(
        [
            bytes(each.of(store.get_block(each.link)) if isinstance(each, Piece) else each)
            for each in found
        ]
    )


def listed(link: Link, store: Store, after: str | None = None) -> list[Entry]:
    node = read(link, store.get_block(link))
    assert isinstance(node, Directory | Shard)
    return answers(entries(node, after), store)


def found_at(root: Link, path: str, store: Store) -> Link:
    """What a path leads to, which is a block of its own."""
    resolved = run(resolve(root, path.split("/")), store)
    assert not resolved.rest
    assert resolved.trail[-1] == resolved.link
    return resolved.link
