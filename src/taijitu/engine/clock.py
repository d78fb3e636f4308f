"""The clock port: the only way the engine learns what time it is, or lets it pass.

The clock of a machine is set by people and by other machines, at times far wrong and right again a
minute later. Stopping until such an error has passed would freeze every timer, and following it
would end every upload at once. So ours is led by what it measures itself, and only drawn towards
what it is told.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

SLEW: Final = 10
"""Ours is drawn towards the machine's clock by at most one ms in so many: a timer is at most a
tenth late or early, and a second is made good in ten."""

BELIEVED_AFTER_MS: Final = 60_000
"""How long the machine's clock has to be ahead by more than that until it is believed at once."""


class Clock(Protocol):
    def now(self) -> int:
        """The time in ms since 1970."""
        ...

    async def wait(self, event: asyncio.Event, until: int) -> None:
        """Wait until `event` is set or the time `until` has come."""
        ...


def wall_ms() -> int:
    """What the machine says the time is (ms since 1970): it may jump, both ways."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """Milliseconds since some moment, while a machine sleeps too: nobody can set it."""
    return time.clock_gettime_ns(STEADY) // 1_000_000


STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The clock of this machine, made steady. Law: it never runs backwards, and it never stands:
    in ten seconds of real time it goes on by nine to eleven, or by more, if the machine's clock
    has been far ahead for a minute."""

    def __init__(
        self, wall: Callable[[], int] = wall_ms, steady: Callable[[], int] = steady_ms
    ) -> None:
        self.wall = wall
        self.steady = steady
        self.time = wall()
        self.seen = steady()
        """When `time` was that, on the steady clock."""
        self.spare = 0
        """What has passed and was too little to be drawn by (ms, less than `SLEW`)."""
        self.ahead_since: int | None = None
        """Since when (steady clock) the machine's clock has been far ahead."""

    def now(self) -> int:
        steady = self.steady()
        passed = steady - self.seen
        if passed > 0:
            self.seen = steady
            self.time += passed
            self._draw(self.wall() - self.time, passed)
        return self.time

    def _draw(self, behind: int, passed: int) -> None:
        """Draw our time towards the machine's, which is `behind` ms later than ours."""
        room, self.spare = divmod(self.spare + passed, SLEW)
        drawn = max(-room, min(room, behind))
        self.time += drawn
        if behind <= BELIEVED_AFTER_MS:
            self.ahead_since = None
        elif self.ahead_since is None:
            self.ahead_since = self.seen
        elif self.seen - self.ahead_since >= BELIEVED_AFTER_MS:
            self.time += behind - drawn
            self.ahead_since = None

    async def wait(self, event: asyncio.Event, until: int) -> None:
        try:
            async with asyncio.timeout(max(0, until - self.now()) / 1000):
                await event.wait()
        except TimeoutError:
            return
