"""The engine: cells that change by transactions, and tasks that are settled exactly once.

`update`, the question what is due, and the body of a transaction run synchronously on the loop;
only reading what is not at hand and waiting for the commit are asynchronous.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from taijitu.engine.actor import Actors, View
from taijitu.engine.cell import (
    Head,
    Machines,
    path_from,
    path_text,
)
from taijitu.engine.clock import Clock
from taijitu.engine.draft import Draft, Testimony, Unread, Witness, nobody
from taijitu.engine.group import Committer, Group
from taijitu.engine.newest import Newest
from taijitu.engine.storage import Batch, Deferral, SliceRow, Storage, TaskKey
from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Message, Path, Request, Task
from taijitu.kernel.failures import BlockMissing, Contention, Fault, HeadMoved
from taijitu.kernel.machine import State
from taijitu.kernel.receipt import DONE, Receipt
from taijitu.kernel.record import Record

RACES_MAX = 16
"""How often a transaction may lose against another process before it gives up."""

READS_MAX = 256
"""How many cells and plans one transaction may have to read before it can run."""

T = TypeVar("T")


class Outcome(Record):
    """What came of a transaction: the state of its cell, the reply, and the recorded receipt."""

    state: State
    reply: Receipt
    head: Link | None
    receipt: bytes | None = None
    heard: bool = True


class Concluded(NamedTuple):
    """The receipt of an invocation, and what else becomes true with it: receipts of tasks that it
    names and that are over, and the blocks that all of them mention."""

    receipt: bytes
    tasks: Mapping[Link, bytes] = MappingProxyType({})
    blocks: Mapping[Link, bytes] = MappingProxyType({})


Conclude = Callable[[State, Receipt], Concluded | None]
"""Makes the receipt of an invocation, or `None` while there is no answer yet."""


class Attempt(Generic[T]):
    """A draft that ran through, with what it answered."""

    def __init__(self, draft: Draft, answer: T) -> None:
        self.draft = draft
        self.answer = answer


class Engine:
    """`witness` is told of every transition and says which receipts become true with it."""

    def __init__(
        self,
        storage: Storage,
        machines: Machines,
        actors: Actors,
        clock: Clock,
        witness: Witness = nobody,
    ) -> None:
        self.storage = storage
        self.machines = machines
        self.actors = actors
        self.clock = clock
        self.witness = witness
        self.newest = Newest(machines, storage)
        self.committer = Committer(storage, self.newest)
        self.committer.observers.append(self._notify)
        self.watchers: dict[Path, set[asyncio.Event]] = {}

    # Transactions

    async def transact(
        self,
        path: Path,
        message: Message | Request,
        *,
        cause: Link | None = None,
        as_of: Link | None = None,
        conclude: Conclude | None = None,
    ) -> Outcome:
        """Let a cell hear a message, durably, with all that follows at once.

        `cause` is the invocation that asks: its receipt, made by `conclude`, becomes true in the
        same commit, and if it has one already nothing else happens. With `as_of` the message is
        heard only while that is the head of the cell. Raises `Contention` or another `Fault`.
        """

        def body(draft: Draft) -> Outcome:
            if cause is not None and (known := self.newest.receipts.get(cause)) is not None:
                return outcome(draft, path, receipt=known, heard=False)
            if as_of is not None and draft.head(path).cid != as_of:
                return outcome(draft, path, heard=False)
            answer = outcome(draft, path, reply=draft.hear(path, message))
            if cause is None or conclude is None:
                return answer
            receipt = keep(draft, cause, conclude(answer.state, answer.reply))
            return outcome(draft, path, reply=answer.reply, receipt=receipt)

        at = message.at if isinstance(message, Message) else self.now()
        for _ in range(RACES_MAX):
            try:
                return await self._commit(await self._attempt(body, at, cause))
            except HeadMoved:
                if cause is not None:
                    await self.receipt(cause)
        raise Contention(f"{path_text(path)} changed {RACES_MAX} times while we tried to change it")

    async def conclude(self, path: Path, cause: Link, conclude: Conclude) -> Outcome:
        """Record the receipt of an invocation that the cell has heard before, if by now there is
        an answer."""

        def body(draft: Draft) -> Outcome:
            if (known := self.newest.receipts.get(cause)) is not None:
                return outcome(draft, path, receipt=known, heard=False)
            receipt = keep(draft, cause, conclude(draft.head(path).state, DONE))
            return outcome(draft, path, receipt=receipt)

        for _ in range(RACES_MAX):
            try:
                return await self._commit(await self._attempt(body, self.now()))
            except HeadMoved:
                await self.receipt(cause)
        raise Contention(f"{path_text(path)} keeps changing")

    async def settle(self, key: TaskKey, receipt: Receipt) -> bool:
        """Record how a task went, once, with all that follows at once. False if nobody is
        interested any more: it was settled before, or its plan has been superseded."""
        planned = Link(key.plan)

        def body(draft: Draft) -> bool:
            return draft.settle(planned, key.number, receipt)

        try:
            return await self._run(body)
        except BlockMissing:
            return False

    async def defer(self, deferral: Deferral) -> None:
        """Try a task again later."""
        key = TaskKey(deferral.plan, deferral.number)
        await self._write(lambda: Batch(deferred={key: deferral}))

    async def note(self, slices: Sequence[SliceRow], wanted: Callable[[View], bool]) -> bool:
        """Write facts about bytes down, with whatever else is being committed. They become true
        only while they are `wanted`, as cells say; False if they are not."""

        def body(draft: Draft) -> bool:
            if not wanted(draft.view):
                return False
            draft.slices += slices
            return True

        return await self._run(body)

    def now(self) -> int:
        return self.clock.now()

    # Reading

    async def read(self, path: Path) -> Head:
        """A cell as it durably stands, or stood at some moment since this was asked: whoever
        reads a busy cell does not wait for it to come to rest."""
        while True:
            try:
                head = self.newest.head(path)
            except Unread as missing:
                await self.newest.load(missing)
                continue
            if not self.newest.heads.is_uncommitted(path) or await self.committer.over():
                return head

    async def settled(self) -> None:
        """Wait until everything that was accepted before is durable, or has failed: then lists
        show it."""
        await self.committer.over()

    async def peek(self, path: Path) -> State:
        """The state that the next transaction would see: it may not be durable yet, so it may
        decide what to ask for, and never what to answer."""

        def body(draft: Draft) -> State:
            return draft.head(path).state

        return (await self._attempt(body, self.now())).answer

    async def changed(self, path: Path, since: Link | None, until: int) -> Head:
        """The cell once its head is no longer `since`, or as it stands at the time `until`."""
        changed = asyncio.Event()
        watchers = self.watchers.setdefault(path, set())
        watchers.add(changed)
        try:
            while True:
                changed.clear()
                head = await self.read(path)
                if head.cid != since or self.now() >= until:
                    return head
                await self.clock.wait(changed, until)
        finally:
            watchers.discard(changed)
            if not watchers:
                self.watchers.pop(path, None)

    async def receipt(self, task: Link) -> bytes | None:
        """The recorded receipt of an invocation, once it is durable."""
        receipts = self.newest.receipts
        while (known := receipts.get(task)) is not None:
            if not receipts.is_uncommitted(task) or await self.committer.over():
                return known
        return await self.newest.load_receipt(task)

    async def task(self, key: TaskKey) -> Task | None:
        """An open task, with what it awaits filled in; `None` once it is durably moot."""
        planned = Link(key.plan)

        def body(draft: Draft) -> Task | None:
            is_due = key.number in draft.due(planned).tasks
            return draft.task(planned, key.number) if is_due else None

        while True:
            task = (await self._attempt(body, self.now())).answer
            if task is not None or await self.committer.over():
                return task

    # How it is done

    async def _run(self, body: Callable[[Draft], T]) -> T:
        """Run a transaction, and make it durable."""
        for _ in range(RACES_MAX):
            try:
                return await self._commit(await self._attempt(body, self.now()))
            except HeadMoved:
                continue
        raise Contention("nothing came of a transaction: its cells keep changing")

    async def _attempt(
        self, body: Callable[[Draft], T], at: int, cause: Link | None = None
    ) -> Attempt[T]:
        """Run the body of a transaction until it finds at hand all that it reads."""
        for _ in range(READS_MAX):
            draft = Draft(
                *(self.machines, self.actors, self.newest, at), cause=cause, witness=self.witness
            )
            try:
                return Attempt(draft, body(draft))
            except Unread as missing:
                await self.newest.load(missing)
        raise Fault(f"a transaction reads more than {READS_MAX} cells")

    async def _commit(self, attempt: Attempt[T]) -> T:
        """Make it durable. Nothing may be awaited between the attempt and its joining."""
        draft = attempt.draft
        batch = draft.batch()
        if batch.is_empty:
            await self.committer.settled()
        else:
            await self.committer.join(draft, batch).committed()
        return attempt.answer

    async def _write(self, batch: Callable[[], Batch]) -> None:
        """Make something durable that depends on nothing."""
        for _ in range(RACES_MAX):
            try:
                return await self.committer.join(None, batch()).committed()
            except HeadMoved:
                continue
        raise Contention("nothing could be written: the commits it shared kept losing races")

    def _notify(self, group: Group) -> None:
        if not self.watchers:
            return
        for text in group.batch.heads:
            for changed in self.watchers.get(path_from(text), ()):
                changed.set()


def keep(draft: Draft, cause: Link, concluded: Concluded | None) -> bytes | None:
    """Let the receipt of an invocation become true with a transaction, if there is one."""
    if concluded is None:
        return None
    draft.receipts[cause] = concluded.receipt
    draft.give(Testimony(concluded.tasks, concluded.blocks))
    return concluded.receipt


def outcome(
    draft: Draft,
    path: Path,
    *,
    reply: Receipt = DONE,
    receipt: bytes | None = None,
    heard: bool = True,
) -> Outcome:
    head = draft.head(path)
    return Outcome(head.state, reply, head.cid, receipt, heard)
