"""The clock port: the only way the engine learns what time it is, or lets it pass."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """The time in ms since 1970."""
        ...

    async def wait(self, event: asyncio.Event, until: int) -> None:
        """Wait until `event` is set or the time `until` has come."""
        ...


class SystemClock:
    """The clock of this machine, which never runs backwards while the process lives."""

    def __init__(self) -> None:
        self.last = 0

    def now(self) -> int:
        self.last = max(self.last, time.time_ns() // 1_000_000)
        return self.last

    async def wait(self, event: asyncio.Event, until: int) -> None:
        try:
            async with asyncio.timeout(max(0, until - self.now()) / 1000):
                await event.wait()
        except TimeoutError:
            return
