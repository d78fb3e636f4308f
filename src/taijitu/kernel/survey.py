"""A machine asked about everything: what it answers to each message in each state.

`update` is pure, so it is simply called, for every sample of every pair; nothing is read from its
source and nothing about it is written down twice. Charts and tables are drawn from the answers.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from taijitu.kernel.effect import Effect, Message, Not, Request, Send, Task, Then, tag
from taijitu.kernel.machine import Machine, State, Step
from taijitu.kernel.receipt import Error
from taijitu.kernel.record import Record
from taijitu.kernel.samples import pairs

SURVEYS_MAX = 64
"""How many machines are remembered with their answers."""

Answer: TypeAlias = Literal["become", "amend", "stay", "refuse"]


class Hop(Record):
    """A task on a pipeline, by its ability, and how it must end for the pipeline to go on."""

    ability: str
    actor: str
    ok: bool


class Pipeline(Record):
    """One way to the end of a pipeline. `message` is what it sends there, if anything."""

    hops: tuple[Hop, ...]
    message: str = ""

    def text(self) -> str:
        """`storage/allocate >> ~s3/stat >> 📬 store/put`"""
        tasks = [hop.ability if hop.ok else f"~{hop.ability}" for hop in self.hops]
        return " >> ".join([*tasks, f"📬 {self.message}"] if self.message else tasks)


class Move(Record):
    """What a machine does with a message (by its tag) in a state (by the name of its class)."""

    state: str
    message: str
    answer: Answer
    target: str
    pipelines: tuple[Pipeline, ...] = ()


@lru_cache(maxsize=SURVEYS_MAX)
def survey(machine: Machine) -> tuple[Move, ...]:
    """Every different thing that the machine does, in the order of its states and messages."""
    moves: dict[Move, None] = {}
    for state, message in pairs(machine):
        moves[move(state, message, machine.update(state, message))] = None
    return tuple(moves)


def move(state: State, message: Message | Request, step: Step[Any]) -> Move:
    """A step without its values. No change of state is no step, as in the engine."""
    names = type(state).__name__, tag(type(message))
    if step.state == state:
        return Move(*names, "refuse" if isinstance(step.reply, Error) else "stay", names[0])
    return Move(
        *names,
        "amend" if step.goes_on else "become",
        type(step.state).__name__,
        tuple(way for effect in step.effects for way in ways(effect)),
    )


def ways(effect: Effect, ok: bool = True) -> Iterator[Pipeline]:
    """Every way in which an effect comes to a good end (or, not `ok`, to a bad one)."""
    match effect:
        case Task():
            yield Pipeline((Hop(tag(type(effect)), effect.actor, ok),))
        case Send(message):
            if ok:
                yield Pipeline((), message)
        case Not(inner):
            yield from ways(inner, not ok)
        case Then(first, after):
            if not ok:
                yield from ways(first, False)
            for start in ways(first):
                for end in ways(after, ok):
                    yield Pipeline((*start.hops, *end.hops), end.message)
        case _:
            raise TypeError(f"not an effect: {effect!r}")
