"""Walks of `unixfs`, led by fetching each block that they ask for."""

from collections.abc import AsyncGenerator, Generator
from contextlib import closing, contextmanager
from typing import TypeVar

from taijitu.client.blocks import Blocks
from taijitu.client.failures import NotFound, Unreadable
from taijitu.ipld.cid import Link
from taijitu.unixfs import failures
from taijitu.unixfs.walk import Stream, Walk

V = TypeVar("V")


@contextmanager
def told() -> Generator[None]:
    """What is wrong with content, as whoever asked for it is told."""
    try:
        yield
    except failures.NotFound as why:
        raise NotFound("NotFound", str(why)) from why
    except failures.UnixFSError as why:
        raise Unreadable(str(why)) from why


async def result_of(walk: Walk[V], blocks: Blocks) -> V:
    """What a walk returns. Raises as `Blocks.block`, and `Unreadable`."""
    with told(), closing(walk):
        try:
            wanted = next(walk)
            while True:
                wanted = walk.send(await blocks.block(wanted))
        except StopIteration as end:
            return end.value


async def found_by(walk: Stream[V], blocks: Blocks) -> AsyncGenerator[V]:
    """What a walk answers as it goes. Raises as `result_of`."""
    with told(), closing(walk):
        block: bytes | None = None
        while True:
            try:
                step = walk.send(block)
            except StopIteration:
                return
            block = None
            if isinstance(step, Link):
                block = await blocks.block(step)
            else:
                yield step
