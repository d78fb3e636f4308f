"""A CAR of what was asked for, block by block: flat memory, however large it is.

Law: it ends early, with an exception, or it is whole. So whoever sends it can break it off: never
does a CAR look whole that is not.
"""

from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, Final

from taijitu.gateway.asked import Asked
from taijitu.gateway.blocks import Blocks
from taijitu.gateway.lead import in_order, stream
from taijitu.ipld import car, varint
from taijitu.ipld.cid import Link
from taijitu.unixfs import dag
from taijitu.unixfs.block import Block, Bytes
from taijitu.unixfs.dag import Found
from taijitu.unixfs.failures import OverLimit

BLOCKS_MAX: Final = 4_194_304
"""Blocks of one CAR: what is stored once can be linked to without end."""

TOGETHER: Final = 64 * 1024
"""Bytes that small blocks are gathered to."""


async def archive(asked: Asked, root: Link, blocks: Blocks) -> AsyncGenerator[bytes, None]:
    """The CAR, its header with the first block, so that whoever has that has seen it begin. `root`
    is what the path leads to. Raises `Unavailable` and `UnixFSError`."""
    gathered: list[Bytes] = [car.encode([root], [])]
    size, is_first = 0, True
    async with aclosing(in_order(sections(asked, blocks))) as found:
        async for name, data in found:
            gathered += (varint.encode(len(name) + len(data)), name, data)
            size += len(name) + len(data)
            if is_first or size >= TOGETHER:
                yield b"".join(gathered)
                gathered, size, is_first = [], 0, False
    if gathered:
        yield b"".join(gathered)


async def sections(
    asked: Asked, blocks: Blocks
) -> AsyncGenerator[Coroutine[Any, Any, tuple[bytes, Bytes]], None]:
    """Each block with its link, once somebody has read it."""
    wish, count = asked.wish, 0
    walk = dag.blocks(asked.root, asked.segments, wish.scope, wish.span, again=wish.dups)

    async def section(found: Found) -> tuple[bytes, Bytes]:
        data = found.data if isinstance(found, Block) else await blocks.get(found.link)
        return found.link.data, data

    async with aclosing(stream(walk, blocks)) as steps:
        async for found in steps:
            count += 1
            if count > BLOCKS_MAX:
                raise OverLimit(f"there are more than {BLOCKS_MAX} blocks")
            yield section(found)
