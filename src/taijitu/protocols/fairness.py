"""That one space does not take what all of them need: turns, and patience with refusals.

Law: whoever is over a limit of his own is told to ask again and costs the others next to nothing;
and what anyone can make us hold, or write down for nothing, is bounded.

Only what was authorised counts, so nobody can use up the turns of a space that is not his.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from taijitu.protocols.execution import NotReady

RUNNING_MAX: Final = 64
"""Invocations of one space that are carried out at once: so many may share a commit."""

WAITING_MAX: Final = 1_024
"""Invocations of one space that wait for their turn: those of the largest message."""

REFUSALS_MAX: Final = 1_024
"""Refusals in a row that are written down for one space."""

REFUSAL_PAUSE_MS: Final = 10_000
"""After those, one more is written down every so many ms: at most some 30 MB a day and space."""

SPACES_MAX: Final = 65_536
"""Spaces whose refusals are counted at the same time."""

BUSY: Final = "Too much is under way in this space. Ask again."
TIRED: Final = "Too much was refused in this space. Ask again later."


class Queue:
    """The invocations of one space: some run, and the others wait in the order they came."""

    def __init__(self) -> None:
        self.running = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


class Turns:
    """Lets so many of each name run at once, and so many wait."""

    def __init__(self, running_max: int = RUNNING_MAX, waiting_max: int = WAITING_MAX) -> None:
        self.running_max = running_max
        self.waiting_max = waiting_max
        self.queues: dict[str, Queue] = {}

    @asynccontextmanager
    async def one(self, name: str) -> AsyncGenerator[None, None]:
        """Wait for a turn, and have it for the time of a block. Raises `NotReady` if too many
        wait already."""
        queue = self.queues.setdefault(name, Queue())
        if queue.running < self.running_max:
            queue.running += 1
        else:
            await self._wait(queue)
        try:
            yield
        finally:
            self._pass_on(name, queue)

    async def _wait(self, queue: Queue) -> None:
        """Until a turn is handed over by whoever had it."""
        if len(queue.waiting) >= self.waiting_max:
            raise NotReady(why=BUSY)
        turn = asyncio.get_running_loop().create_future()
        queue.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._hand_over(queue)
            raise

    def _pass_on(self, name: str, queue: Queue) -> None:
        self._hand_over(queue)
        if not queue.running:
            self.queues.pop(name, None)

    def _hand_over(self, queue: Queue) -> None:
        while queue.waiting:
            turn = queue.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        queue.running -= 1


class Patience:
    """How many refusals of a name are put up with: `refusals_max` at once, and then one more every
    `pause_ms`. A refusal changes nothing in the world, but it is written down: the invocation has
    its receipt, and the entry that was too large has its history. Whoever is refused without end
    would fill the disk."""

    def __init__(self, refusals_max: int = REFUSALS_MAX, pause_ms: int = REFUSAL_PAUSE_MS) -> None:
        self.refusals_max = refusals_max
        self.pause_ms = pause_ms
        self.forgiven: dict[str, int] = {}
        """When all refusals of a name will be forgiven, in ms; the one refused last stands last."""

    def check(self, name: str, now: int) -> None:
        """Raises `NotReady` if there were too many."""
        forgiven = self.forgiven.get(name)
        if forgiven is None:
            return
        over = forgiven - now - (self.refusals_max - 1) * self.pause_ms
        if over > 0:
            raise NotReady(-(-over // 1000), why=TIRED)

    def refused(self, name: str, now: int) -> None:
        """One more."""
        before = self.forgiven.pop(name, now)
        self.forgiven[name] = max(before, now) + self.pause_ms
        if len(self.forgiven) > SPACES_MAX:
            del self.forgiven[next(iter(self.forgiven))]
