"""Leading the walks of `taijitu.unixfs` through stored blocks.

Law: a walk is given the blocks that it asks for, each hashed; a large one is read by the walk in a
thread, so that nobody else waits while a directory of thousands is being looked through. There are
few such threads: a block of data may be fifty times larger in memory. A walk that is left behind
holds nothing, and is not closed: a thread may still be at it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, Final, Protocol, TypeVar

from taijitu.gateway.blocks import Blocks
from taijitu.ipld.cid import Link
from taijitu.unixfs.walk import Stream, Walk

READ_AT_ONCE: Final = 16 * 1024
"""Bytes of a block that is read where we are: the worst take eight milliseconds. More, in a
thread."""

READERS_MAX: Final = 2
"""Large blocks that are being read at once."""

READERS: Final = ThreadPoolExecutor(READERS_MAX, "gateway")

STEPS_AT_A_STRETCH: Final = 64
"""Steps of a walk after which others have a turn: blocks at hand keep nobody waiting for them."""

AHEAD: Final = 1
"""Blocks that are read while one is being sent."""

Result = TypeVar("Result")
Found = TypeVar("Found")


class End(Exception):
    """A walk has come to its end, with a result."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result


async def aside(size: int, make: Callable[[], Result]) -> Result:
    """What is made of a block of `size` bytes, without keeping others waiting. Raises what `make`
    raises."""
    return make() if size <= READ_AT_ONCE else await slowly(make)


async def slowly(make: Callable[[], Result]) -> Result:
    """What takes long to make. Raises what `make` raises."""
    return await asyncio.get_running_loop().run_in_executor(READERS, make)


async def result(walk: Walk[Result], blocks: Blocks, size: int = 0) -> Result:
    """What a walk comes to, which begins with a block at hand of `size` bytes. Raises `Unavailable`
    and `UnixFSError`."""
    try:
        wanted, turn = await step(walk, None, size), 0
        while True:
            turn = await next_turn(turn)
            block = await blocks.get(wanted)
            wanted = await step(walk, block, len(block))
    except End as end:
        return end.result


class Source(Protocol):
    """Whatever blocks come from."""

    async def get(self, link: Link) -> bytes:
        """Raises `Unavailable`."""
        ...


async def stream(walk: Stream[Found], blocks: Source, size: int = 0) -> AsyncGenerator[Found, None]:
    """What a walk finds on its way, which begins with a block at hand of `size` bytes. It may
    answer a block before it looks at it. Raises `Unavailable` and `UnixFSError`."""
    try:
        found, turn = await step(walk, None, size), 0
        while True:
            turn = await next_turn(turn)
            if isinstance(found, Link):
                block = await blocks.get(found)
                size = len(block)
                found = await step(walk, block, size)
                del block  # it may take long to send what was found
            else:
                yield found
                found, size = await step(walk, None, size), 0
    except End:
        return


async def next_turn(turn: int) -> int:
    """Give way to others, now and then."""
    if turn < STEPS_AT_A_STRETCH:
        return turn + 1
    await asyncio.sleep(0)
    return 0


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


async def step(walk: Generator[Found, Any, Any], block: bytes | None, size: int) -> Found:
    """One step of a walk, which was given a block if it asked for one, and has `size` bytes to look
    at. Raises `End`."""

    def send() -> Found:
        try:
            return walk.send(block)
        except StopIteration as end:  # which no coroutine can raise
            raise End(end.value) from None

    return await aside(size, send)
