"""What packers answer: blocks, and at the end what they were of.

Law: links are of version 1 with sha2-256, and a block's link is the hash of its bytes.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple, TypeAlias

from taijitu.ipld import dagpb
from taijitu.ipld.cid import DAG_PB, RAW, SHA2_256, Link
from taijitu.ipld.dagpb import PbLink, PbNode
from taijitu.unixfs import data as messages
from taijitu.unixfs.data import Data

Bytes: TypeAlias = bytes | memoryview

SIZE_MAX: Final = 2 * 1024 * 1024
"""Bytes of a block that is packed, and of one that is given out: others exchange no larger ones."""

_RAW: Final = bytes((1, RAW, SHA2_256, 32))
_PB: Final = bytes((1, DAG_PB, SHA2_256, 32))


class Block(NamedTuple):
    link: Link
    data: Bytes


class Packed(NamedTuple):
    """A file or a directory that was packed: what an entry of a directory says of it."""

    link: Link
    dag_size: int
    """Bytes of all its blocks, one that occurs twice counted twice."""
    size: int = 0
    """Bytes of a file; of a directory 0."""


def raw(data: Bytes) -> Block:
    """A block that is nothing but these bytes."""
    return Block(Link(_RAW + sha256(data).digest()), data)


def node(data: Data, links: Sequence[PbLink]) -> Block:
    """A block with links, and with a message that says what it is."""
    encoded = dagpb.encode(PbNode(links, messages.encode(data)))
    return Block(Link(_PB + sha256(encoded).digest()), encoded)


def dag_size(block: Block, links: Sequence[PbLink]) -> int:
    """Bytes of the block and of all that is below it."""
    return len(block.data) + sum([each.size or 0 for each in links])
