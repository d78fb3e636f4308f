"""Trying again: what may be asked again, how often, and how long to wait in between.

Law: the very same request is sent again, byte for byte. A service executes an invocation once,
so nothing happens twice, however often the answer is lost.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, TypeVar

from taijitu.client.failures import Unavailable
from taijitu.kernel.record import Record

V = TypeVar("V")

AGAIN: Final = frozenset((408, 429, 500, 502, 503, 504))
"""Statuses after which asking again may help."""

WAIT_MAX: Final = 60.0
"""Seconds that are waited at most, whatever the service asks for."""


class Retry(Record):
    """How patient a client is."""

    tries: int = 6
    """How often the same thing is asked, at most."""
    pause: float = 0.25
    """Seconds before the second try; before each further one, twice as many."""
    pause_max: float = 10.0
    """Seconds between two tries, at most, unless the service asks for more."""

    def seconds(self, number: int, wanted: float | None) -> float:
        """How long to wait after try `number` (from 1). Never all at the same moment."""
        usual = min(self.pause * 2.0 ** (number - 1), self.pause_max)
        return min(max(usual * random.uniform(0.5, 1.0), wanted or 0.0), WAIT_MAX)


class Retrying(Record):
    """Told before a pause: what failed, why, and what happens next."""

    what: str
    why: str
    number: int
    """Of the try that failed, from 1; 0 if it did not, but the service says to ask later."""
    seconds: float
    """Until the next."""


Notice = Callable[[Retrying], object]


class Again(Exception):
    """This try failed; another may not. `wanted`: seconds that the service asks to wait."""

    def __init__(self, why: str, wanted: float | None = None) -> None:
        super().__init__(why)
        self.wanted = wanted


class Patience:
    """The tries of one thing."""

    def __init__(self, what: str, retry: Retry, notice: Notice, within: float = 0.0) -> None:
        """For `within` seconds, a service that says when to ask again has not failed."""
        self.what = what
        self.retry = retry
        self.notice = notice
        self.failed = 0
        self.until = monotonic() + within

    def renew(self) -> None:
        """It has come further: begin to count anew."""
        self.failed = 0

    async def wait(self, why: Again) -> None:
        """Wait for the next try. Raises `Unavailable` when there is none."""
        if why.wanted is not None and monotonic() < self.until:
            self.renew()
        else:
            self.failed += 1
        if self.failed >= self.retry.tries:
            times = f", {self.failed} times" if self.failed > 1 else ""
            raise Unavailable(f"{self.what} failed{times}: {why}") from why
        seconds = self.retry.seconds(max(1, self.failed), why.wanted)
        self.notice(Retrying(self.what, str(why), self.failed, seconds))
        await asyncio.sleep(seconds)

    async def keep(self, once: Callable[[], Awaitable[V]]) -> V:
        """Do it until it works. Raises `Unavailable`, and what no second try would change."""
        while True:
            try:
                return await once()
            except Again as why:
                await self.wait(why)


def wait_wanted(header: str | None) -> float | None:
    """The seconds in a `retry-after` header; a date there is not looked at."""
    text = (header or "").strip()
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
