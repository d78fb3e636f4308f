"""A clock that stands still until it is told to go on, and then wakes whoever waited."""

import asyncio


class VirtualClock:
    """Time in ms since 1970, moved by hand."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self.time = now
        self.waiting: dict[asyncio.Event, int] = {}

    def now(self) -> int:
        return self.time

    async def wait(self, event: asyncio.Event, until: int) -> None:
        if until <= self.time:
            await asyncio.sleep(0)
            return
        self.waiting[event] = until
        try:
            await event.wait()
        finally:
            self.waiting.pop(event, None)

    def advance(self, ms: int) -> None:
        """Let time pass at once; whoever waited for a time that has come is woken."""
        self.time += ms
        for event, until in list(self.waiting.items()):
            if until <= self.time:
                event.set()
