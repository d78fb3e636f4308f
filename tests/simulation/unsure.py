"""A world that cannot be relied on: disks that take their time, actors that fail or whose answer is
lost, and processes that end between any two steps.

Law: what belongs to a process that is gone reaches neither storage nor bucket any more.
"""

import asyncio
import random
from typing import Any

from taijitu.engine.actor import Actor, Assignment, Finding, View
from taijitu.engine.storage import Batch
from taijitu.kernel.effect import Task
from taijitu.kernel.failures import Fault
from taijitu.kernel.receipt import Receipt
from taijitu.storage.leases import Leases
from taijitu.storage.memory import MemoryStorage

TURNS_MAX = 6
"""Turns of the loop that something takes, at most."""
FAULT, NOT_NOW = 0.08, 0.3
"""How likely an actor fails, before or after; and how likely it does not answer at once."""
DISK_FULL = 0.03
"""How likely a commit fails."""


class Gone(Fault):
    """The process that asks has ended."""


class Life:
    """One process, from its start to its sudden end."""

    def __init__(self, chance: random.Random, *, steady: bool = False) -> None:
        self.chance = chance
        self.steady = steady
        self.over = False

    def check(self) -> None:
        if self.over:
            raise Gone("that process is gone")

    async def takes_its_time(self) -> None:
        self.check()
        if not self.steady:
            for _ in range(self.chance.randint(0, TURNS_MAX)):
                await asyncio.sleep(0)
        self.check()

    def happens(self, likely: float) -> bool:
        return not self.steady and self.chance.random() < likely


class SlowStorage:
    """The storage that outlives processes, as one of them sees it."""

    def __init__(self, real: MemoryStorage, life: Life, *, at_once: bool) -> None:
        self.real = real
        self.life = life
        self.reads_at_once = at_once
        real._leases = Leases()  # they lived in the memory of the process before

    async def commit(self, batch: Batch) -> None:
        await self.life.takes_its_time()
        if (batch.heads or batch.slices) and self.life.happens(DISK_FULL):
            raise Fault("the disk is full")
        await self.real.commit(batch)
        await self.life.takes_its_time()

    def __getattr__(self, name: str) -> Any:
        """Any other verb: as it is, or after a while."""
        verb = getattr(self.real, name)

        async def asked(*given: Any, **named: Any) -> Any:
            self.life.check()
            if not self.reads_at_once:
                await self.life.takes_its_time()
            return await verb(*given, **named)

        return asked


class UnsureActor:
    """An actor who fails now and then, and whose answer may get lost after he has acted."""

    def __init__(self, real: Actor, life: Life) -> None:
        self.real = real
        self.life = life

    def prompt(self, task: Task, view: View, at: int) -> Receipt | Finding | None:
        return None if self.life.happens(NOT_NOW) else self.real.prompt(task, view, at)

    async def run(self, assignment: Assignment) -> Receipt | None:
        await self.life.takes_its_time()
        if self.life.happens(FAULT):
            raise Fault("nobody there")
        answer = await self.real.run(assignment)
        await self.life.takes_its_time()
        if self.life.happens(FAULT):
            raise Fault("the answer was lost")
        return answer
