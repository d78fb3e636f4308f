"""The newest heads, plans and receipts at hand: what is not yet committed lies over what is.

Transactions chain on each other through it: one that starts while another is being made durable
sees what that one has made, and is committed after it or not at all.
"""

from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar, cast

from taijitu.engine.cell import (
    Head,
    Machines,
    Progress,
    path_text,
    plan_in,
    read_head,
    read_plan,
    untouched,
)
from taijitu.engine.draft import Draft, Unread
from taijitu.engine.storage import Storage
from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Path
from taijitu.kernel.failures import BlockMissing, Bug

HEADS_MAX = 20_000
PLANS_MAX = 20_000
RECEIPTS_MAX = 10_000

LARGE_SIZE = 8_192
"""Bytes. A receipt, or the block of a head, that has more is large."""
LARGE_MAX = 32
"""Large heads, and large receipts, that are kept: clients decide how large their data is."""

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


def at_once(reading: Coroutine[Any, Any, T]) -> T:
    """The answer of a coroutine that does not suspend."""
    try:
        reading.send(None)
    except StopIteration as done:
        return cast(T, done.value)
    reading.close()
    raise Bug("a storage that reads at once has suspended")


class Layer(Generic[K, V]):
    """Values that are not committed yet, over a bounded number of those that are: what was not
    asked for longest is let go first. Of large ones there are a few, the latest."""

    def __init__(self, size_max: int, large_max: int = LARGE_MAX) -> None:
        self.size_max = size_max
        self.large_max = large_max
        self.uncommitted: dict[K, V] = {}
        self.known: OrderedDict[K, V] = OrderedDict()
        self.large: OrderedDict[K, None] = OrderedDict()

    def get(self, key: K) -> V | None:
        value = self.uncommitted.get(key)
        if value is None and (value := self.known.get(key)) is not None:
            self.known.move_to_end(key)
        return value

    def is_uncommitted(self, key: K) -> bool:
        return key in self.uncommitted

    def learn(self, key: K, value: V, *, is_large: bool = False) -> None:
        """Keep a committed value, unless a newer one is known."""
        if key not in self.known:
            self._keep(key, value, is_large)

    def commit(self, key: K, value: V, *, is_large: bool = False) -> None:
        self._keep(key, value, is_large)
        if self.uncommitted.get(key) is value:
            del self.uncommitted[key]

    def _keep(self, key: K, value: V, is_large: bool) -> None:
        self.known[key] = value
        self.known.move_to_end(key)
        if len(self.known) > self.size_max:
            self.known.popitem(last=False)
        if is_large:
            self._keep_large(key)
        elif self.large:
            self.large.pop(key, None)

    def _keep_large(self, key: K) -> None:
        self.large[key] = None
        self.large.move_to_end(key)
        if len(self.large) > self.large_max:
            oldest, _ = self.large.popitem(last=False)
            self.known.pop(oldest, None)

    def forget(self) -> None:
        self.uncommitted.clear()
        self.known.clear()
        self.large.clear()


class Newest:
    """A `Source` for drafts, over what a storage holds."""

    def __init__(self, machines: Machines, storage: Storage) -> None:
        self.machines = machines
        self.storage = storage
        self.heads = Layer[Path, Head](HEADS_MAX)
        self.plans = Layer[Link, Progress](PLANS_MAX)
        self.receipts = Layer[Link, bytes](RECEIPTS_MAX)
        self.unanswered: set[Link] = set()
        """What was found to have no receipt, by storage that can not be asked at once."""

    def head(self, path: Path) -> Head:
        head = self.heads.get(path)
        if head is not None:
            return head
        if self.storage.reads_at_once:
            return at_once(self.load_head(path))
        raise Unread(path=path)

    def progress(self, planned: Link) -> Progress:
        progress = self.plans.get(planned)
        if progress is not None:
            return progress
        if self.storage.reads_at_once:
            return at_once(self.load_plan(planned))
        raise Unread(plan=planned)

    def receipt(self, task: Link) -> bytes | None:
        receipt = self.receipts.get(task)
        if receipt is not None:
            return receipt
        if self.storage.reads_at_once:
            return at_once(self.load_receipt(task))
        if task in self.unanswered:
            return None
        raise Unread(receipt=task)

    async def load(self, missing: Unread) -> None:
        """Bring to hand what a draft did not find there."""
        if missing.path is not None:
            await self.load_head(missing.path)
        elif missing.plan is not None:
            await self.load_plan(missing.plan)
        elif missing.receipt is not None and await self.load_receipt(missing.receipt) is None:
            if len(self.unanswered) >= RECEIPTS_MAX:
                self.unanswered.clear()
            self.unanswered.add(missing.receipt)

    async def load_head(self, path: Path) -> Head:
        row = await self.storage.head(path_text(path))
        if row is None:
            head = untouched(self.machines, path)
        else:
            head, progress = read_head(self.machines, row)
            self.plans.learn(Link(row.plan), progress)
        self.heads.learn(path, head, is_large=row is not None and len(row.block) > LARGE_SIZE)
        return head

    async def load_plan(self, planned: Link) -> Progress:
        row = await self.storage.plan(planned.data)
        progress = await self._untouched(planned) if row is None else read_plan(self.machines, row)
        self.plans.learn(planned, progress)
        return progress

    async def load_receipt(self, task: Link) -> bytes | None:
        receipt = await self.storage.receipt(task.data)
        if receipt is not None:
            self.receipts.learn(task, receipt, is_large=len(receipt) > LARGE_SIZE)
        return receipt

    async def _untouched(self, planned: Link) -> Progress:
        """A plan of which storage knows nothing but the block: it asked for nothing, or was
        dropped before anything came of it."""
        block = await self.storage.block(planned.data)
        if block is None:
            raise BlockMissing(f"no plan {planned}")
        return Progress(*plan_in(self.machines, block))

    def join(self, draft: Draft) -> None:
        """What a draft has made is now what the next one sees."""
        self.heads.uncommitted.update(draft.heads)
        self.plans.uncommitted.update(draft.plans)
        self.receipts.uncommitted.update(draft.receipts)

    def commit(self, draft: Draft) -> None:
        large = {made.path for _, block, made in draft.transitions if len(block) > LARGE_SIZE}
        for path, head in draft.heads.items():
            self.heads.commit(path, head, is_large=path in large)
        for planned, progress in draft.plans.items():
            self.plans.commit(planned, progress)
        for task, receipt in draft.receipts.items():
            self.receipts.commit(task, receipt, is_large=len(receipt) > LARGE_SIZE)

    def forget(self) -> None:
        """Another process was faster, or a commit failed: read everything again."""
        self.heads.forget()
        self.plans.forget()
        self.receipts.forget()
        self.unanswered.clear()
