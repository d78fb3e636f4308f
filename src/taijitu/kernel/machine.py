"""A machine: a pure, total `update` over a closed union of states and messages.

    update(state, message) -> Step(state to become, effects to plan with it, reply to who asked)

`update` reads no clock, no chance and no I/O, and may run again after a lost race. The only time
it knows is `message.at`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, get_args

from taijitu.kernel.effect import Effect, Message, Request, Task, tag
from taijitu.kernel.receipt import DONE, Error, Ok, Receipt
from taijitu.kernel.record import Record

S = TypeVar("S", bound="State")


class State(Record, tag_field="status"):
    """Where a cell is. Subclass once per state, named by its tag."""


class Step(Record, Generic[S]):
    """What `update` answers."""

    state: S
    effects: tuple[Effect, ...] = ()
    reply: Receipt = DONE
    goes_on: bool = False
    """The plan that was made before goes on, instead of a new one."""


def become(state: S, *effects: Effect, reply: Ok = DONE) -> Step[S]:
    """Move to `state` and ask for `effects`."""
    return Step(state, effects, reply)


def amend(state: S, reply: Ok = DONE) -> Step[S]:
    """Move to `state` while the current plan goes on: what it asked for is still needed."""
    return Step(state, (), reply, True)


def stay(state: S, reply: Ok = DONE) -> Step[S]:
    """Deliberately do nothing: no block is made and the plan goes on."""
    return Step(state, (), reply)


def refuse(state: S, reply: Error) -> Step[S]:
    """Say no. Whatever else happened for this request is undone."""
    return Step(state, (), reply)


class Machine:
    """One protocol: its name and version, its `update`, and the unions that `update` is total over.

    `states`, `messages` and `tasks` are unions (or single classes); `messages` holds both what is
    sent and the `Request`s that this machine answers. `lists` names the lists in which a cell
    stands while it is in a state, in the order in which cells came in.
    """

    def __init__(
        self,
        name: str,
        version: int,
        update: Callable[[Any, Any], Step[Any]],
        initial: State,
        *,
        states: Any,
        messages: Any,
        tasks: Any = (),
        lists: Callable[[Any], tuple[str, ...]] = lambda state: (),
    ) -> None:
        self.name = name
        self.version = version
        self.update = update
        self.initial = initial
        self.lists = lists
        self.states: Mapping[str, type[State]] = by_tag(states)
        self.messages: Mapping[str, type[Message] | type[Request]] = by_tag(messages)
        self.tasks: Mapping[str, type[Task]] = by_tag(tasks)


def by_tag(union: Any) -> dict[str, Any]:
    """The classes of a union (or a single class), by their tags."""
    members = get_args(union) or ((union,) if isinstance(union, type) else tuple(union))
    return {tag(member): member for member in members}
