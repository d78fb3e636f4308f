"""The scheduler's hands: gives every open task that is ready to its actor, at least once.

It keeps nothing that matters: what is open and when it is ready lies in storage. A fault puts a
task off, with growing pauses; a bug parks it where an operator sees it; "not now" leaves it open
until a hint wakes it.

Each ability has a lane of its own: however many tasks of one hang, those of another go on. A lane
is as wide as its actor can work, so nobody waits for his turn within the time of his try.
"""

import asyncio
import random
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from taijitu.engine.actor import Assignment
from taijitu.engine.engine import Engine
from taijitu.engine.group import Group
from taijitu.engine.storage import Deferral, TaskKey, TaskRow
from taijitu.ipld import dagcbor
from taijitu.ipld.cid import link_to
from taijitu.kernel.effect import NEVER, Task
from taijitu.kernel.failures import Fault

RUNNING_MAX = 64
"""How many tasks of one ability are carried out at once (and some more, if hints wake them)."""

LEASE_MS = 120_000
"""How long nobody else takes over a task that is being carried out."""

RUN_SECONDS_MAX = 60
"""How long one try may last: well inside the lease, so that no late hand can follow."""

PAUSE_MS, PAUSE_MS_MAX = 100, 60_000
"""The pause after the first fault, and the longest. It doubles from one to the next; up to half of
it is left out by chance, so that what failed together does not come again together."""

POLL_MS = 60_000
"""How long the dispatcher sleeps at most."""

TURN_SECONDS = 0.001
"""About how long it takes until a task that is ready is under way, if there is room."""

TROUBLE_CHARS_MAX = 500

Report = Callable[[str, TaskRow, BaseException], None]
"""Tells that a task had a `fault` or a `bug`."""


def ignore(kind: str, row: TaskRow, trouble: BaseException) -> None:
    """Report to nobody."""


def always(row: TaskRow) -> bool:
    """Nothing is known of it beforehand."""
    return True


class Dispatcher:
    """`promises` tells of a task that sleeps whether waking it now may come to anything, without
    opening it; `widths` how many tasks of an ability are carried out at once, if that are fewer
    than `RUNNING_MAX`; `chance` answers numbers from 0 to 1."""

    def __init__(
        self,
        engine: Engine,
        report: Report = ignore,
        *,
        promises: Callable[[TaskRow], bool] = always,
        widths: Mapping[str, int] = MappingProxyType({}),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.engine = engine
        self.report = report
        self.promises = promises
        self.widths = widths
        self.chance = chance
        self.wake = asyncio.Event()
        self.next_look = 0
        self.wake_up_at = 0
        """When to wake what sleeps: after a start, and after a fault that kept us from it."""
        self.woken: TaskKey | None = None
        """The last of those that sleep that was woken."""
        self.running: dict[TaskKey, asyncio.Task[None]] = {}
        self.about: dict[str, set[TaskKey]] = {}
        """Those under way that a hint may name, by what it would name."""
        self.lanes: Counter[str] = Counter()
        """How many tasks are under way, by ability."""
        self.hinted: set[TaskKey] = set()
        """Tasks under way that somebody asked for again."""
        self.hints: set[asyncio.Task[None]] = set()
        engine.committer.observers.append(self._committed)

    async def run(self) -> None:
        """Carry out tasks until cancelled."""
        try:
            while True:
                self.wake.clear()
                await self._start_what_is_ready()
                await self.engine.clock.wait(self.wake, self.next_look)
        finally:
            under_way = [*self.running.values(), *self.hints]
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def hint(self, about: str) -> None:
        """Something may have happened to `about`: look at once, and come back when looked."""
        now = self.engine.now()
        rows = await self.engine.storage.claim(now, RUNNING_MAX, LEASE_MS, about)
        under_way = [key for key in self.about.get(about, ()) if not self.running[key].done()]
        self.hinted.update(under_way)
        looking = {*(self.running[key] for key in under_way), *map(self._start, rows)}
        if looking:
            await asyncio.wait(looking)

    async def caught_up(self, ability: str, seconds: float) -> bool:
        """Wait until no task of an ability is under way or ready, or for so long. False if none
        is under way."""
        if self.lanes[ability] == 0:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.lanes[ability] > 0 or await self._is_ready(ability):
                    looking = [each for each in self.running.values() if each.get_name() == ability]
                    await (asyncio.wait(looking) if looking else asyncio.sleep(TURN_SECONDS))
        return True

    async def _is_ready(self, ability: str) -> bool:
        times = await self.engine.storage.next_ready()
        return times.get(ability, NEVER) <= self.engine.now()

    async def _start_what_is_ready(self) -> None:
        now = self.engine.now()
        # Until it is known when to look next, whatever is committed is a reason to look.
        self.next_look = NEVER
        if self.wake_up_at <= now:
            self.wake_up_at = NEVER
            self._soon(self._wake_what_sleeps())
        try:
            ready = await self._fill_lanes(now)
        except Fault:
            ready = now + PAUSE_MS
        self.next_look = min(now + POLL_MS, ready, self.wake_up_at)

    async def _fill_lanes(self, now: int) -> int:
        """In each lane start what is ready, as far as there is room. Answers when to look next."""
        storage = self.engine.storage
        times = await storage.next_ready()
        due = [ability for ability, at in times.items() if at <= now and self._room(ability) > 0]
        for ability in due:
            room = self._room(ability)
            for row in await storage.claim(now, room, LEASE_MS, ability=ability):
                self._start(row)
        if due:
            times = await storage.next_ready()
        waiting = (at for ability, at in times.items() if self._room(ability) > 0)
        return min(waiting, default=NEVER)

    def _room(self, ability: str) -> int:
        return self.widths.get(ability, RUNNING_MAX) - self.lanes[ability]

    def _start(self, row: TaskRow) -> asyncio.Task[None]:
        """Carry out a task that was claimed. One that is under way, and whose lease ran out
        because the clock jumped, is not begun a second time beside it."""
        under_way = self.running.get(row.key)
        if under_way is not None and not under_way.done():
            self.hinted.add(row.key)
            return under_way
        task = asyncio.get_running_loop().create_task(self._carry_out(row), name=row.ability)
        self.running[row.key] = task
        if row.about:
            self.about.setdefault(row.about, set()).add(row.key)
        self.lanes[row.ability] += 1
        task.add_done_callback(lambda done: self._finished(row, done))
        return task

    def _finished(self, row: TaskRow, task: asyncio.Task[None]) -> None:
        if self._room(row.ability) <= 0 or row.key in self.hinted:
            self.wake.set()
        self.lanes[row.ability] -= 1
        if self.running.get(row.key) is task:
            del self.running[row.key]
            self.hinted.discard(row.key)
            self._forget(row)

    def _forget(self, row: TaskRow) -> None:
        if (keys := self.about.get(row.about)) is not None:
            keys.discard(row.key)
            if not keys:
                del self.about[row.about]

    async def _carry_out(self, row: TaskRow) -> None:
        try:
            while await self._try(row) and row.key in self.hinted:
                self.hinted.discard(row.key)
        except Fault as fault:
            await self._put_off(row, fault)
        except Exception as bug:
            await self._park(row, bug)
        finally:
            await self.engine.storage.release([row.key])

    async def _try(self, row: TaskRow) -> bool:
        """Carry a task out once. True if it stays open without a fault."""
        task = await self.engine.task(row.key)
        if task is None:
            return False
        actor = self.engine.actors[row.ability]
        assignment = Assignment(task, task_id(row.key), row.tries)
        try:
            async with asyncio.timeout(RUN_SECONDS_MAX):
                receipt = await actor.run(assignment)
        except TimeoutError as slow:
            raise Fault(f"{row.ability} took longer than {RUN_SECONDS_MAX} s") from slow
        if receipt is None:
            await self._leave_open(row, task)
            return True
        if await self.engine.settle(row.key, receipt) and row.about:
            self._soon(self._hint_soon(row.about))
        return False

    async def _leave_open(self, row: TaskRow, task: Task) -> None:
        """Not now. A task that only a hint wakes goes back to waiting for one, if a fault had put
        it off or a bug parked it; any other is tried again."""
        if task.ready_at() < NEVER:
            raise Fault("not now")
        if row.ready_at < NEVER or row.trouble:
            await self._defer(Deferral(row.plan, row.number, NEVER, 0, ""), row)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.hints.add(task)
        task.add_done_callback(self.hints.discard)

    async def _wake_what_sleeps(self) -> None:
        """After a start: hints live in memory only, so look at everything that waits for one. And
        what a bug has parked is tried once more: this may be the program in which it is mended.
        A bounded number at a time, for there may be very many."""
        try:
            while rows := await self.engine.storage.asleep(self.woken, RUNNING_MAX):
                abouts = {row.about for row in rows if row.about and self._may_wake(row)}
                parked = [row for row in rows if not row.about]
                await asyncio.gather(*map(self.hint, abouts), *map(self._unpark, parked))
                self.woken = rows[-1].key
                await asyncio.sleep(0)
        except Fault:
            self._wake_up_later()

    def _may_wake(self, row: TaskRow) -> bool:
        return bool(row.trouble) or self.promises(row)

    async def _unpark(self, row: TaskRow) -> None:
        again = Deferral(row.plan, row.number, self.engine.now(), row.tries, row.trouble)
        await self._defer(again, row)

    async def _hint_soon(self, about: str) -> None:
        """Whoever waits for the same looks again."""
        try:
            await self.hint(about)
        except Fault:
            # Whose hint is lost is woken as after a start.
            self.woken = None
            self._wake_up_later()

    def _wake_up_later(self) -> None:
        self.wake_up_at = self.engine.now() + PAUSE_MS
        self.wake.set()

    async def _put_off(self, row: TaskRow, fault: Fault) -> None:
        self.report("fault", row, fault)
        longest = min(PAUSE_MS_MAX, PAUSE_MS * 2 ** min(row.tries, 16))
        pause = round(longest * (1 + self.chance()) / 2)
        trouble = str(fault) or type(fault).__name__
        await self._try_again_at(self.engine.now() + pause, row, trouble)

    async def _park(self, row: TaskRow, bug: Exception) -> None:
        self.report("bug", row, bug)
        await self._try_again_at(NEVER, row, "".join(traceback.format_exception_only(bug)))

    async def _try_again_at(self, ready_at: int, row: TaskRow, trouble: str) -> None:
        trouble = trouble[:TROUBLE_CHARS_MAX]
        await self._defer(Deferral(row.plan, row.number, ready_at, row.tries + 1, trouble), row)

    async def _defer(self, deferral: Deferral, row: TaskRow) -> None:
        try:
            await self.engine.defer(deferral)
        except Exception as trouble:
            self.report("fault" if isinstance(trouble, Fault) else "bug", row, trouble)
            await asyncio.sleep(PAUSE_MS / 1000)

    def _committed(self, group: Group) -> None:
        opened = (row.ready_at for row in group.batch.opened.values())
        deferred = (row.ready_at for row in group.batch.deferred.values())
        if min((*opened, *deferred), default=NEVER) < self.next_look:
            self.wake.set()


def task_id(key: TaskKey) -> str:
    """The name of a task: the CID of its plan and its place there."""
    return str(link_to(dagcbor.encode([key.plan, key.number])))
