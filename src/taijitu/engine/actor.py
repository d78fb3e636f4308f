"""Who carries out worldly tasks. An actor never opens a transaction: it looks, acts and answers."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from taijitu.engine.storage import SliceRow
from taijitu.kernel.effect import Path, Task
from taijitu.kernel.machine import State
from taijitu.kernel.receipt import Receipt
from taijitu.kernel.record import Record

View: TypeAlias = Callable[[Path], State]
"""Look at the state of another cell, as of the transaction that asks."""


class Assignment(Record):
    """A task to carry out. `key` names it for ever and may serve as an idempotency key;
    `tries` is how often it was tried before."""

    task: Task
    key: str
    tries: int


class Finding(NamedTuple):
    """An answer within a transaction, and facts about bytes that become true with it."""

    receipt: Receipt
    slices: Sequence[SliceRow]


class Actor(Protocol):
    """`prompt` and `run` answer `None` for "not now": a prompt task is then opened, and a task
    that was run stays open until a hint wakes it. Either may raise `Fault`."""

    def prompt(self, task: Task, view: View, at: int) -> Receipt | Finding | None:
        """Answer within the transaction, without waiting and without changing anything. It may be
        asked again; the transaction depends on the cells that it looks at."""
        ...

    async def run(self, assignment: Assignment) -> Receipt | None:
        """Carry it out; it may have been carried out before."""
        ...


Actors: TypeAlias = Mapping[str, Actor]
"""Actors by the ability of the task."""
