"""The scheduler's hands: gives every open task that is ready to its actor, at least once.

It keeps nothing that matters: what is open and when it is ready lies in storage. A fault puts a
task off, with growing pauses; a bug parks it where an operator sees it; "not now" leaves it open
until a hint wakes it.
"""

import asyncio
import traceback
from collections.abc import Callable

from taijitu.engine.actor import Assignment
from taijitu.engine.engine import Engine
from taijitu.engine.group import Group
from taijitu.engine.storage import Deferral, TaskKey, TaskRow
from taijitu.ipld import dagcbor
from taijitu.ipld.cid import link_to
from taijitu.kernel.effect import NEVER
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
        self.running: dict[TaskKey, asyncio.Task[None]] = {}
        self.hinted: set[TaskKey] = set()
        self.hints: set[asyncio.Task[None]] = set()
        engine.committer.observers.append(self._committed)

    async def run(self) -> None:
        """Carry out tasks until cancelled."""
        await self._look_again()
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
        looking = [self._start(row) for row in rows]
        for key, task in list(self.running.items()):
            if task not in looking and task.get_name() == about:
                self.hinted.add(key)
                looking.append(task)
        if looking:
            await asyncio.wait(looking)

    async def _look_again(self) -> None:
        """Hints live in memory only: after a start, look at everything that waits for one."""
        rows = await self.engine.storage.open_tasks()
        for about in {row.about for row in rows if row.ready_at >= NEVER and row.about}:
            self._hint_soon(about)

    async def _start_what_is_ready(self) -> None:
        now = self.engine.now()
        storage = self.engine.storage
        try:
            free = RUNNING_MAX - len(self.running)
            for row in await storage.claim(now, free, LEASE_MS) if free > 0 else ():
                self._start(row)
            ready = await storage.next_ready() if free > 0 else None
        except Fault:
            ready = now + PAUSE_MS
        self.next_look = min(now + POLL_MS, NEVER if ready is None else ready)

    def _start(self, row: TaskRow) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._carry_out(row), name=row.about)
        self.running[row.key] = task
        task.add_done_callback(lambda _: self._finished(row.key))
        return task

    def _finished(self, key: TaskKey) -> None:
        if len(self.running) >= RUNNING_MAX:
            self.wake.set()
        self.running.pop(key, None)
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
        if receipt is None and row.ready_at < NEVER:
            raise Fault("not now")
        if receipt is None:
            return True
        if await self.engine.settle(row.key, receipt) and row.about:
            self._hint_soon(row.about)
        return False

    def _hint_soon(self, about: str) -> None:
        """Whoever waits for the same thing looks again."""
        hint = asyncio.get_running_loop().create_task(self.hint(about))
        self.hints.add(hint)
        hint.add_done_callback(self.hints.discard)

    async def _put_off(self, row: TaskRow, fault: Fault) -> None:
        self.report("fault", row, fault)
        pause = min(PAUSE_MS_MAX, PAUSE_MS * 2 ** min(row.tries, 16))
        await self._defer(row, self.engine.now() + pause, str(fault) or type(fault).__name__)

    async def _park(self, row: TaskRow, bug: Exception) -> None:
        self.report("bug", row, bug)
        await self._defer(row, NEVER, "".join(traceback.format_exception_only(bug)))

    async def _defer(self, row: TaskRow, ready_at: int, trouble: str) -> None:
        deferral = Deferral(
            row.plan, row.number, ready_at, row.tries + 1, trouble[:TROUBLE_CHARS_MAX]
        )
        try:
            await self.engine.defer(deferral)
        except Fault as fault:
            self.report("fault", row, fault)
            await asyncio.sleep(PAUSE_MS / 1000)

    def _committed(self, group: Group) -> None:
        opened = (row.ready_at for row in group.batch.opened.values())
        deferred = (row.ready_at for row in group.batch.deferred.values())
        if min((*opened, *deferred), default=NEVER) < self.next_look:
            self.wake.set()


def task_id(key: TaskKey) -> str:
    """The name of a task: the CID of its plan and its place there."""
    return str(link_to(dagcbor.encode([key.plan, key.number])))
