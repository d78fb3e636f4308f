"""A cell and a plan as the engine holds them: decoded, immutable, shared between transactions."""

from collections.abc import Mapping, Set
from typing import Any, cast

from taijitu.ipld import dagcbor
from taijitu.ipld.cid import Link
from taijitu.kernel import codec
from taijitu.kernel.effect import Path
from taijitu.kernel.failures import Bug
from taijitu.kernel.machine import Machine, State
from taijitu.kernel.plan import NOTHING, Plan
from taijitu.kernel.receipt import Receipt
from taijitu.kernel.record import Record

Machines = Mapping[str, Machine]
"""Machines by name: the first segment of a path says which one drives the cell."""


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


class Progress(Record):
    """How far a plan has come: the receipts of its tasks, and the pipelines whose message was
    delivered. `version` counts the commits that changed it."""

    path: Path
    plan: Plan
    version: int = 0
    receipts: Mapping[int, Receipt] = {}
    delivered: Set[int] = frozenset()


NO_PLAN = Progress((), NOTHING)


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
    if not path or not all(segment and "/" not in segment for segment in path):
        raise Bug(f"not a path: {path!r}")
    return "/".join(path)


def path_from(text: str) -> Path:
    return tuple(text.split("/"))


def encode_progress(progress: Progress) -> bytes:
    """`[receipts, delivered]`, as DAG-CBOR."""
    receipts = codec.encode_receipts(progress.receipts)
    return dagcbor.encode([receipts, sorted(progress.delivered)])


def decode_progress(path: Path, plan: Plan, version: int, data: bytes | None) -> Progress:
    if data is None:
        return Progress(path, plan, version)
    receipts, delivered = cast(tuple[list[Any], list[int]], dagcbor.decode(data))
    return Progress(path, plan, version, codec.decode_receipts(receipts), frozenset(delivered))
