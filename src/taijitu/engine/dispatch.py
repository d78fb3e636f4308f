"""The scheduler's hands: gives every open task that is ready to its actor, at least once.

It keeps nothing that matters: what is open and when it is ready lies in storage. A fault puts a
task off, with growing pauses; a bug parks it where an operator sees it; "not now" leaves it open
until a hint wakes it.
"""

import asyncio
import traceback
from collections.abc import Callable, Collection, Sequence

from taijitu.engine.actor import Assignment
from taijitu.engine.engine import Engine
from taijitu.engine.group import Group
from taijitu.engine.storage import Deferral, TaskKey, TaskRow
from taijitu.ipld import dagcbor
from taijitu.ipld.cid import link_to
from taijitu.kernel.effect import NEVER, Task
from taijitu.kernel.failures import Fault

RUNNING_MAX = 64
"""How many tasks are carried out at once."""

LEASE_MS = 120_000
"""How long nobody else takes over a task that is being carried out."""

RUN_SECONDS_MAX = 60
"""How long one try may last: well inside the lease, so that no late hand can follow."""

PAUSE_MS, PAUSE_MS_MAX = 100, 60_000
"""The pause after the first fault, and the longest. It doubles from one to the next."""

POLL_MS = 60_000
"""How long the dispatcher sleeps at most."""

TROUBLE_CHARS_MAX = 500

Report = Callable[[str, TaskRow, BaseException], None]
"""Tells that a task had a `fault` or a `bug`."""


def ignore(kind: str, row: TaskRow, trouble: BaseException) -> None:
    """Report to nobody."""


class Dispatcher:
    def __init__(self, engine: Engine, report: Report = ignore) -> None:
        self.engine = engine
        self.report = report
        self.wake = asyncio.Event()
        self.next_look = 0
        self.has_looked = False
        self.running: dict[TaskKey, asyncio.Task[None]] = {}
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
        under_way = {
            key: task
            for key, task in self.running.items()
            if task.get_name() == about and not task.done()
        }
        self.hinted.update(under_way)
        looking = {*under_way.values(), *map(self._start, rows)}
        if looking:
            await asyncio.wait(looking)

    async def _look_again(self) -> None:
        """After a start: hints live in memory only, so look at everything that waits for one. And
        what a bug has parked is tried once more: this may be the program in which it is mended."""
        rows = [row for row in await self.engine.storage.open_tasks() if row.ready_at >= NEVER]
        self._hint_soon({row.about for row in rows if row.about})
        now = self.engine.now()
        for row in rows:
            if not row.about:
                again = Deferral(row.plan, row.number, now, row.tries, row.trouble)
                await self._defer(again, row)
        self.has_looked = True

    async def _start_what_is_ready(self) -> None:
        now = self.engine.now()
        storage = self.engine.storage
        # Until it is known when to look next, whatever is committed is a reason to look.
        self.next_look = NEVER
        try:
            if not self.has_looked:
                await self._look_again()
            free = RUNNING_MAX - len(self.running)
            for row in await storage.claim(now, free, LEASE_MS) if free > 0 else ():
                self._start(row)
            ready = await storage.next_ready() if free > 0 else None
        except Fault:
            ready = now + PAUSE_MS
        self.next_look = min(now + POLL_MS, NEVER if ready is None else ready)

    def _start(self, row: TaskRow) -> asyncio.Task[None]:
        """Carry out a task that was claimed. One that is under way, and whose lease ran out
        because the clock jumped, is not begun a second time beside it."""
        under_way = self.running.get(row.key)
        if under_way is not None and not under_way.done():
            self.hinted.add(row.key)
            return under_way
        task = asyncio.get_running_loop().create_task(self._carry_out(row), name=row.about)
        self.running[row.key] = task
        task.add_done_callback(lambda done: self._finished(row.key, done))
        return task

    def _finished(self, key: TaskKey, task: asyncio.Task[None]) -> None:
        if len(self.running) >= RUNNING_MAX or key in self.hinted:
            self.wake.set()
        if self.running.get(key) is task:
            del self.running[key]
            self.hinted.discard(key)

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
            self._hint_soon({row.about})
        return False

    async def _leave_open(self, row: TaskRow, task: Task) -> None:
        """Not now. A task that only a hint wakes goes back to waiting for one, if a fault had put
        it off; any other is tried again."""
        if task.ready_at() < NEVER:
            raise Fault("not now")
        if row.ready_at < NEVER:
            await self._defer(Deferral(row.plan, row.number, NEVER, 0, ""), row)

    def _hint_soon(self, abouts: Collection[str]) -> None:
        """Whoever waits for these things looks again."""
        hint = asyncio.get_running_loop().create_task(self._hint_each(sorted(abouts)))
        self.hints.add(hint)
        hint.add_done_callback(self.hints.discard)

    async def _hint_each(self, abouts: Sequence[str]) -> None:
        """A bounded number at a time: after a start there may be very many."""
        try:
            for start in range(0, len(abouts), RUNNING_MAX):
                await asyncio.gather(*map(self.hint, abouts[start : start + RUNNING_MAX]))
        except Fault:
            self.has_looked = False

    async def _put_off(self, row: TaskRow, fault: Fault) -> None:
        self.report("fault", row, fault)
        pause = min(PAUSE_MS_MAX, PAUSE_MS * 2 ** min(row.tries, 16))
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
