"""The storage port: where heads, blocks, plans, open tasks and receipts lie.

`commit` is the only write that matters: everything in a `Batch` becomes true together, or nothing
does. A backend that passes `taijitu.testing.storage_contract` is a backend. Values are rows, not
objects: paths are text (`/` between segments), links are their bytes, times are ms since 1970.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct, field


class HeadRow(NamedTuple):
    """A cell as it stands: its newest transition, and the transition that made its plan.

    `planned` is the block of the plan's transition where that is another one, and `progress` what
    is known of the plan's tasks (`version` counts its changes), or nothing yet.
    """

    path: str
    cid: bytes
    seq: int
    block: bytes
    plan: bytes
    planned: bytes | None
    version: int
    progress: bytes | None


class PlanRow(NamedTuple):
    """A plan, current or not: the block that made it, and what is known of its tasks."""

    plan: bytes
    path: str
    block: bytes
    version: int
    progress: bytes | None


class HeadChange(NamedTuple):
    """Move a cell from `expected` (its `seq`, 0 for a cell never written) to a new head."""

    path: str
    expected: int
    seq: int
    cid: bytes
    plan: bytes


class PlanChange(NamedTuple):
    """Replace what is known of a plan's tasks, if it is still at version `expected`."""

    plan: bytes
    path: str
    expected: int
    version: int
    progress: bytes


class TaskKey(NamedTuple):
    """A task: the plan that asked for it, and its number there."""

    plan: bytes
    number: int


class TaskRow(NamedTuple):
    """An open task. `ready_at` is when it may start; `about` is what a hint must name."""

    plan: bytes
    number: int
    path: str
    ability: str
    about: str
    ready_at: int
    tries: int = 0
    trouble: str = ""

    @property
    def key(self) -> TaskKey:
        return TaskKey(self.plan, self.number)


class TaskCounts(NamedTuple):
    """How many tasks are open, by how they stand: only a hint wakes them (`asked`), their time has
    come (`ready`) or not (`later`); and those with which something went wrong: they are tried
    again (`failing`), or not (`parked`)."""

    asked: int
    later: int
    ready: int
    failing: int
    parked: int


class Deferral(NamedTuple):
    """Try a task again at `ready_at` (or never, if parked), and remember what went wrong."""

    plan: bytes
    number: int
    ready_at: int
    tries: int
    trouble: str


class ReceiptRow(NamedTuple):
    """A receipt that was given out, by the invocation or task that it answers."""

    task: bytes
    block: bytes
    at: int


class ListChange(NamedTuple):
    """A cell comes into a list, as its newest member, or (not `present`) leaves it."""

    name: str
    path: str
    present: bool


class SliceRow(NamedTuple):
    """Where some bytes lie within others: those of a multihash are `length` bytes of the object
    `shard` (a multihash as well), from `offset` on. It was checked, so it stays true for ever, also
    when the object is no longer here."""

    multihash: bytes
    shard: bytes
    offset: int
    length: int


class Batch(Struct):
    """What one commit makes true. Heads that were only read are in `reads`: path -> `seq`."""

    heads: dict[str, HeadChange] = field(default_factory=dict[str, HeadChange])
    reads: dict[str, int] = field(default_factory=dict[str, int])
    plans: dict[bytes, PlanChange] = field(default_factory=dict[bytes, PlanChange])
    blocks: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    opened: dict[TaskKey, TaskRow] = field(default_factory=dict[TaskKey, TaskRow])
    closed: list[TaskKey] = field(default_factory=list[TaskKey])
    deferred: dict[TaskKey, Deferral] = field(default_factory=dict[TaskKey, Deferral])
    receipts: dict[bytes, ReceiptRow] = field(default_factory=dict[bytes, ReceiptRow])
    lists: list[ListChange] = field(default_factory=list[ListChange])
    slices: list[SliceRow] = field(default_factory=list[SliceRow])

    def add(self, later: "Batch") -> None:
        """Make this batch one that also does what `later`, built upon it, does."""
        for path, seq in later.reads.items():
            if path not in self.heads:
                self.reads[path] = seq
        for path, change in later.heads.items():
            before = self.heads.get(path)
            self.heads[path] = change._replace(expected=before.expected) if before else change
            self.reads.pop(path, None)
        for plan, change in later.plans.items():
            known = self.plans.get(plan)
            self.plans[plan] = change._replace(expected=known.expected) if known else change
        self.blocks += later.blocks
        for key in later.closed:
            self.deferred.pop(key, None)
            if self.opened.pop(key, None) is None:
                self.closed.append(key)
        self.opened |= later.opened
        self.deferred |= later.deferred
        self.receipts |= later.receipts
        self.lists += later.lists
        self.slices += later.slices

    @property
    def is_empty(self) -> bool:
        """Nothing would change, whatever was read."""
        return not (
            self.heads
            or self.plans
            or self.opened
            or self.closed
            or self.deferred
            or self.receipts
            or self.slices
        )


class Storage(Protocol):
    """A handful of verbs. Every one may raise `Fault`; only `commit` changes what is stored.

    `reads_at_once`: `head` and `plan` never suspend, so a transaction may read as it runs.
    """

    reads_at_once: bool

    async def head(self, path: str) -> HeadRow | None:
        """Where the cell stands, or `None` if nothing was ever written there."""
        ...

    async def plan(self, plan: bytes) -> PlanRow | None:
        """The plan made by the transition `plan`."""
        ...

    async def block(self, cid: bytes) -> bytes | None:
        """The bytes of a transition's block."""
        ...

    async def scan(
        self, prefix: str, *, after: str = "", before: str = "", limit: int, backwards: bool = False
    ) -> Sequence[HeadRow]:
        """Cells whose path begins with `prefix`, in the order of their paths (by code point, or
        backwards), strictly between the paths `after` and `before` where they are given."""
        ...

    async def listing(
        self,
        name: str,
        *,
        older_than: int | None = None,
        newer_than: int | None = None,
        limit: int,
    ) -> Sequence[tuple[int, HeadRow]]:
        """A page of a list: cells with their positions, the newest member first.

        Positions grow, and a cell keeps its own until it leaves. `older_than` gives the page that
        follows a position, `newer_than` the page just before it (also newest first)."""
        ...

    async def commit(self, batch: Batch) -> None:
        """Make all of it true, durably. Raises `HeadMoved`, having written nothing, if a head or
        plan is not where it is expected, or a receipt exists already."""
        ...

    async def claim(
        self,
        now: int,
        limit: int,
        lease_ms: int,
        about: str | None = None,
        *,
        ability: str | None = None,
    ) -> Sequence[TaskRow]:
        """Lease up to `limit` open tasks that are ready and that nobody else holds, the longest
        ready first; with `ability` none but its own. With `about`: the tasks that a hint about it
        wakes, ready or not."""
        ...

    async def release(self, keys: Sequence[TaskKey]) -> None:
        """Give leases back."""
        ...

    async def next_ready(self) -> Mapping[str, int]:
        """When the next open task that nobody holds becomes ready, for each ability of which there
        is a task that ever does."""
        ...

    async def asleep(self, after: TaskKey | None, limit: int) -> Sequence[TaskRow]:
        """A page of the open tasks that never become ready by themselves, in the order of their
        keys, those behind `after`."""
        ...

    async def open_tasks(self, path: str | None = None) -> Sequence[TaskRow]:
        """Every open task, or those of one cell: for people to look at."""
        ...

    async def task_counts(self, now: int) -> TaskCounts:
        """How many tasks are open, and how they stand at the time `now`."""
        ...

    async def receipt(self, task: bytes) -> bytes | None:
        """The recorded receipt for an invocation or task."""
        ...

    async def forget_receipts(self, before: int) -> None:
        """Drop the receipts recorded before a time."""
        ...

    async def slices(
        self, multihash: bytes, limit: int, *, after: bytes = b""
    ) -> Sequence[SliceRow]:
        """Where the bytes of a multihash lie, in the order of the objects that hold them, in those
        behind `after`. Of each object only the place that was heard of first is known."""
        ...

    async def slices_in(
        self, shard: bytes, *, after: bytes = b"", limit: int
    ) -> Sequence[SliceRow]:
        """What is known to lie in an object, in the order of multihashes, behind `after`."""
        ...

    async def forget_slices(self, shard: bytes) -> None:
        """Drop what is known to lie in an object."""
        ...

    async def settings(self) -> Mapping[str, str]:
        """What was remembered with `remember`."""
        ...

    async def remember(self, name: str, value: str) -> None:
        """Store a setting of the installation itself, durably."""
        ...

    async def close(self) -> None: ...
