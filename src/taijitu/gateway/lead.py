"""Leading the walks of `taijitu.unixfs` through stored blocks.

Law: a walk is given the blocks that it asks for, each hashed; a large one is read by the walk in a
thread, so that nobody else waits while a directory of thousands is being looked through.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import aclosing
from typing import Any, Final, TypeVar

from taijitu.gateway.blocks import Blocks
from taijitu.ipld.cid import Link
from taijitu.unixfs.walk import Stream, Walk

READ_AT_ONCE: Final = 64 * 1024
"""Bytes of a block that a walk reads where it is."""

AHEAD: Final = 1
"""Blocks that are read while one is being sent."""

Result = TypeVar("Result")
Found = TypeVar("Found")


class End(Exception):
    """A walk has come to its end, with a result."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result


async def result(walk: Walk[Result], blocks: Blocks) -> Result:
    """What a walk comes to. Raises `Unavailable` and `UnixFSError`."""
    block: bytes | None = None
    try:
        while True:
            block = await blocks.get(await step(walk, block))
    except End as end:
        return end.result
    finally:
        walk.close()


async def stream(walk: Stream[Found], blocks: Blocks) -> AsyncGenerator[Found, None]:
    """What a walk finds on its way. Raises `Unavailable` and `UnixFSError`."""
    block: bytes | None = None
    try:
        while True:
            found = await step(walk, block)
            if isinstance(found, Link):
                block = await blocks.get(found)
            else:
                block = None
                yield found
    except End:
        return
    finally:
        walk.close()


async def in_order(
    jobs: AsyncGenerator[Coroutine[Any, Any, Result], None],
) -> AsyncGenerator[Result, None]:
    """What jobs come to, in their order; `AHEAD` of them run while one result is being used. Raises
    what a job, or whoever names them, raises."""
    running: deque[asyncio.Task[Result]] = deque()
    try:
        async with aclosing(jobs):
            async for job in jobs:
                running.append(asyncio.create_task(job))
                if len(running) > AHEAD:
                    yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def step(walk: Generator[Found, Any, Any], block: bytes | None) -> Found:
    """One step of a walk, which was given a block if it asked for one. Raises `End`."""

    def send() -> Found:
        try:
            return walk.send(block)
        except StopIteration as end:  # which no coroutine can raise
            raise End(end.value) from None

    if block is None or len(block) <= READ_AT_ONCE:
        return send()
    return await asyncio.to_thread(send)
