"""How walks through a DAG are led: they ask for blocks, and answer with what they find.

    walk = ...                        a generator
    step = walk.send(answer)          a `Link`: send its block, of which the hash was checked;
                                      anything else is an answer: send None

Law: a walk asks only for what it cannot go on without. A block that it need not read itself it
answers by name, so that whoever leads it may fetch several at once.
"""

from collections.abc import Generator
from typing import Final, TypeAlias, TypeVar

from taijitu.ipld.cid import IDENTITY, Link
from taijitu.unixfs.failures import InvalidUnixFS

Result = TypeVar("Result")
Found = TypeVar("Found")

Walk: TypeAlias = Generator[Link, bytes | None, Result]
"""Asks for blocks, and returns one result."""
Stream: TypeAlias = Generator[Link | Found, bytes | None, None]
"""Asks for blocks, and answers as it goes."""

INLINE_SIZE_MAX: Final = 128
"""Bytes of a block that its link carries inside. The specification sets it."""


def is_inline(link: Link) -> bool:
    """Does the link carry its block inside?"""
    return link.hash_code == IDENTITY


def inline(link: Link) -> bytes:
    """The block that a link carries inside. Raises `InvalidUnixFS` for one that is too long."""
    block = link.digest
    if len(block) > INLINE_SIZE_MAX:
        raise InvalidUnixFS(f"a link carries a block of {len(block)} bytes")
    return block


def fetch(link: Link) -> Walk[bytes]:
    """The block behind a link, which may be the link itself."""
    if is_inline(link):
        return inline(link)
    block = yield link
    if block is None:
        raise RuntimeError(f"a walk asked for {link} and was not given it")
    return block
