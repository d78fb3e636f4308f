"""A cell and a plan as the engine holds them: decoded, immutable, shared between transactions."""

from collections.abc import Mapping, Set
from types import MappingProxyType
from typing import Any, cast

from taijitu.engine.storage import HeadRow, PlanRow
from taijitu.ipld import dagcbor
from taijitu.ipld.cid import Link
from taijitu.kernel import codec
from taijitu.kernel.effect import Path
from taijitu.kernel.failures import BlockMissing, Bug
from taijitu.kernel.machine import Machine, State
from taijitu.kernel.plan import NOTHING_DUE, Due, Plan, due
from taijitu.kernel.receipt import Receipt
from taijitu.kernel.record import Record

Machines = Mapping[str, Machine]
"""Machines by name: the first segment of a path says which one drives the cell."""


NO_RECEIPTS: Mapping[int, Receipt] = MappingProxyType({})
NOTHING_DELIVERED: Set[int] = frozenset()


class Head(Record):
    """Where a cell stands. `cid` and `planned` are `None` for a cell that was never written.

    `planned` is the transition whose plan is current: the head itself, or an earlier one.
    """

    machine: Machine
    path: Path
    cid: Link | None
    seq: int
    state: State
    planned: Link | None


class Progress:
    """How far a plan has come: the receipts of its tasks, and the pipelines whose message was
    delivered. `version` counts the commits that changed it. Never changed once made."""

    __slots__ = ("delivered", "path", "plan", "questions", "receipts", "version")

    def __init__(
        self,
        path: Path,
        plan: Plan,
        version: int = 0,
        receipts: Mapping[int, Receipt] = NO_RECEIPTS,
        delivered: Set[int] = NOTHING_DELIVERED,
    ) -> None:
        self.path = path
        self.plan = plan
        self.version = version
        self.receipts = receipts
        self.delivered = delivered
        self.questions: list[Due | None] = [None, None]

    def due(self, heard: bool) -> Due:
        """What the plan still asks for, `heard` while it is its cell's current plan."""
        if not self.plan.pipelines:
            return NOTHING_DUE
        known = self.questions[heard]
        if known is None:
            known = self.questions[heard] = due(self.plan, self.receipts, self.delivered, heard)
        return known

    def with_receipt(self, index: int, receipt: Receipt) -> "Progress":
        receipts = {**self.receipts, index: receipt}
        return Progress(self.path, self.plan, self.version, receipts, self.delivered)

    def with_delivery(self, pipeline: int) -> "Progress":
        delivered = frozenset((*self.delivered, pipeline))
        return Progress(self.path, self.plan, self.version, self.receipts, delivered)

    def at_version(self, version: int) -> "Progress":
        return Progress(self.path, self.plan, version, self.receipts, self.delivered)

    def says_the_same_as(self, other: "Progress") -> bool:
        return self.receipts == other.receipts and self.delivered == other.delivered


def machine_of(machines: Machines, path: Path) -> Machine:
    machine = machines.get(path[0]) if path else None
    if machine is None:
        raise Bug(f"no machine drives {path_text(path)!r}")
    return machine


def untouched(machines: Machines, path: Path) -> Head:
    """The head of a cell that was never written."""
    machine = machine_of(machines, path)
    return Head(machine, path, None, 0, machine.initial, None)


def path_text(path: Path) -> str:
    """A path as storage keeps it. Raises `Bug` for a segment that would make it ambiguous."""
    text = "/".join(path)
    if not path or "" in path or text.count("/") != len(path) - 1:
        raise Bug(f"not a path: {path!r}")
    return text


def path_from(text: str) -> Path:
    return tuple(text.split("/"))


def encode_progress(progress: Progress) -> bytes:
    """`[receipts, delivered]`, as DAG-CBOR."""
    receipts = codec.encode_receipts(progress.receipts)
    return dagcbor.encode_own([receipts, sorted(progress.delivered)])


def decode_progress(path: Path, plan: Plan, version: int, data: bytes | None) -> Progress:
    if data is None:
        return Progress(path, plan, version)
    receipts, delivered = cast(tuple[list[Any], list[int]], dagcbor.decode(data))
    return Progress(path, plan, version, codec.decode_receipts(receipts), frozenset(delivered))


def read_head(machines: Machines, row: HeadRow) -> tuple[Head, Progress]:
    """Decode a cell and its current plan. Raises `UnknownVersion`."""
    transition = codec.decode(row.block, machines)
    plan = transition.plan
    if isinstance(plan, Link):
        if row.planned is None:
            raise BlockMissing(f"no plan {plan}")
        _, plan = plan_in(machines, row.planned)
    path = path_from(row.path)
    head = Head(transition.machine, path, Link(row.cid), row.seq, transition.state, Link(row.plan))
    return head, decode_progress(path, plan, row.version, row.progress)


def read_plan(machines: Machines, row: PlanRow) -> Progress:
    """Decode a plan that need not be current."""
    path, plan = plan_in(machines, row.block)
    return decode_progress(path, plan, row.version, row.progress)


def plan_in(machines: Machines, block: bytes) -> tuple[Path, Plan]:
    """The plan that a transition made, and the cell it belongs to."""
    transition = codec.decode(block, machines)
    if isinstance(transition.plan, Link):
        raise BlockMissing(f"that transition made no plan: {transition.plan} did")
    return transition.path, transition.plan
