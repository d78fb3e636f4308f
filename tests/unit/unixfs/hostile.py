"""What an attacker makes: blocks that lie, and names that collide."""

from collections.abc import Mapping, Sequence
from typing import Final

from support.walking import Store
from taijitu.ipld.cid import Link
from taijitu.ipld.dagpb import PbLink
from taijitu.unixfs import block as blocks
from taijitu.unixfs.data import Data, Kind
from taijitu.unixfs.way import HASH_TYPE, width_of

COLLIDING: Final = (
    "Names can be made to collide: on",
    "0000000000173691])rAs;\x14kQ\x19\x046t\x0cU~",
)
"""Two names of one murmur3 hash, and whatever is written behind both, of one hash again."""


def leaf(store: Store, data: bytes) -> Link:
    block = blocks.raw(data)
    store.keep(block)
    return block.link


def node(store: Store, data: Data, links: Sequence[PbLink] = ()) -> Link:
    block = blocks.node(data, links)
    store.keep(block)
    return block.link


def file(
    store: Store, parts: Sequence[tuple[Link, int]], size: int | None = None, content: bytes = b""
) -> Link:
    """A file that says of its parts what it is told to."""
    sizes = tuple([said for _, said in parts])
    total = sum(sizes) + len(content) if size is None else size
    links = [PbLink(link, b"", said) for link, said in parts]
    return node(store, Data(Kind.FILE, content, total, sizes), links)


def directory(store: Store, entries: Sequence[tuple[str, Link]]) -> Link:
    links = [PbLink(link, name.encode("utf-8", "surrogateescape"), 1) for name, link in entries]
    return node(store, Data(Kind.DIRECTORY), links)


def symlink(store: Store, target: str) -> Link:
    return node(store, Data(Kind.SYMLINK, target.encode()))


def shard(store: Store, slots: Mapping[int, tuple[str, Link]], fanout: int = 256) -> Link:
    """A shard with these names, an empty one for a shard below, wherever it is told."""
    width = width_of(fanout)
    links = [
        PbLink(link, f"{slot:0{width}X}".encode() + name.encode(), 1)
        for slot, (name, link) in slots.items()
    ]
    taken = sum(1 << slot for slot in slots)
    field = taken.to_bytes((taken.bit_length() + 7) // 8, "big")
    data = Data(Kind.HAMT_SHARD, field, hash_type=HASH_TYPE, fanout=fanout)
    return node(store, data, links)
