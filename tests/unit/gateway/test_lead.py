"""Goal: a walk through a large block keeps nobody waiting, and may be left behind in its midst.

Method: walks that note where they run, and one that stands still until the test lets it go on.
"""

import asyncio
import threading
from collections.abc import Generator

import pytest

from taijitu.gateway.blocks import Blocks
from taijitu.gateway.lead import READ_AT_ONCE, result, stream
from taijitu.ipld.cid import RAW, Link, link_to
from taijitu.server.installation import Installation
from unit.gateway.holding import store

SMALL, LARGE = b"small", bytes(READ_AT_ONCE + 1)


@pytest.fixture
async def blocks(installation: Installation) -> Blocks:
    await store(installation, [SMALL, LARGE])
    storage, bucket = installation.engine.storage, installation.bucket
    return Blocks(storage, bucket, installation.denials, lambda _, __: None)


def here() -> bool:
    return threading.current_thread() is threading.main_thread()


def places() -> Generator[Link | bool, bytes | None, None]:
    """Where it runs: at first, and after each block."""
    yield here()
    for data in (SMALL, LARGE):
        assert (yield link_to(data, RAW)) == data
        yield here()


@pytest.mark.parametrize(("size", "at_first"), [(0, True), (READ_AT_ONCE + 1, False)])
async def test_a_walk_runs_in_a_thread_while_it_looks_at_a_large_block(
    blocks: Blocks, size: int, at_first: bool
) -> None:
    found = [each async for each in stream(places(), blocks, size)]
    assert found == [at_first, True, False]


async def test_a_large_block_may_be_answered_before_it_is_looked_at(blocks: Blocks) -> None:
    def walk() -> Generator[Link | bool, bytes | None, None]:
        for data in (LARGE, SMALL):
            yield link_to(data, RAW)
            yield here()
            yield here()
            yield here()

    found = [each async for each in stream(walk(), blocks)]
    assert found == [False, False, True, True, True, True]


async def test_a_walk_through_what_is_at_hand_gives_way_to_others(blocks: Blocks) -> None:
    at_hand, turns = Link.parse("bafkqaaa"), 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    def walk() -> Generator[Link, bytes | None, None]:
        for _ in range(1_000):
            yield at_hand

    beside = asyncio.create_task(others())
    try:
        await result(walk(), blocks)
        assert (before := turns) >= 10
        assert [each async for each in stream(walk(), blocks)] == []
        assert turns - before >= 10
    finally:
        beside.cancel()


async def test_a_walk_that_is_cancelled_in_its_midst_is_cancelled_and_nothing_else(
    blocks: Blocks,
) -> None:
    inside, go_on, over = asyncio.Event(), threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def walk() -> Generator[Link, bytes | None, None]:
        yield link_to(LARGE, RAW)
        loop.call_soon_threadsafe(inside.set)
        go_on.wait(10)
        over.set()

    leading = asyncio.create_task(result(walk(), blocks))
    await inside.wait()
    leading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leading
    go_on.set()
    assert await asyncio.to_thread(over.wait, 10)
