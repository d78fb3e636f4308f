"""Waiting for what the world does in its own time: by looking again, never longer than a limit."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

LOOK_SECONDS = 0.02
"""Between two looks."""

T = TypeVar("T")


async def eventually(
    look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool], *, seconds: float
) -> T:
    """The first answer of `look` that is `wanted`. Fails with the last one after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = await look()
        if wanted(found):
            return found
        assert time.monotonic() < deadline, f"after {seconds} s it is still {found!r}"
        await asyncio.sleep(LOOK_SECONDS)
