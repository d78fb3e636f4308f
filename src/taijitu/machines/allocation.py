"""`allocation`: the storage provider's word on one object of one space: who owns the room for it.

It makes the ledger exact: room is reserved, used and freed once per attempt, however often it is
asked. Attempts are numbered by their entry; one that was released is refused ever after, which
takes one number to remember.
"""

from typing import TypeAlias, assert_never

from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Request
from taijitu.kernel.machine import Machine, State, Step, become, refuse, stay
from taijitu.kernel.receipt import failure
from taijitu.machines.blob import Drop, Refer
from taijitu.machines.ledger import Free, Reserve, Use


class Vacant(State, tag="vacant"):
    """Nobody owns room here. Attempts up to number `released_up_to` never will again."""

    released_up_to: int = 0


class Allocated(State, tag="allocated"):
    """`attempt` owns room for `size` bytes; `stored` once they are in use."""

    attempt: Link
    number: int
    size: int
    stored: bool
    released_up_to: int


AnyState: TypeAlias = Vacant | Allocated


class Allocate(Request, tag="storage/allocate"):
    """Set room aside for an attempt: `ok {size}`, or an error that says how much is free."""

    actor, machine, key = "storage provider", "allocation", ("space", "multihash")
    space: str
    multihash: str
    attempt: Link
    number: int
    size: int


class Commit(Request, tag="storage/commit"):
    """The attempt's bytes are stored: what was set aside is in use."""

    actor, machine, key = "storage provider", "allocation", ("space", "multihash")
    space: str
    multihash: str
    attempt: Link
    number: int


class Release(Request, tag="storage/release"):
    """Give back what the attempt owns, if it owns anything, and never let it own again."""

    actor, machine, key = "storage provider", "allocation", ("space", "multihash")
    space: str
    multihash: str
    attempt: Link
    number: int


AnyMessage: TypeAlias = Allocate | Commit | Release
AnyTask: TypeAlias = Reserve | Use | Free | Refer | Drop


def update(state: AnyState, message: AnyMessage) -> Step[AnyState]:
    match message, state:
        case Allocate(_, _, _, number, _), Vacant(released_up_to) if number <= released_up_to:
            return refuse(state, failure("AttemptReleased", f"attempt {number} is over"))
        case Allocate(space, multihash, attempt, number, size), Vacant(released_up_to):
            return become(
                Allocated(attempt, number, size, False, released_up_to),
                Reserve(space, size),
                Refer(multihash),
            )
        case Allocate(), Allocated() if owns(message, state):
            return stay(state)
        case Allocate(), Allocated():
            return refuse(state, failure("NotOwner", f"attempt {state.number} owns the room"))

        case Commit(space), Allocated(attempt, number, size, False, up_to) if owns(message, state):
            return become(Allocated(attempt, number, size, True, up_to), Use(space, size))
        case Commit(), Allocated() if owns(message, state):
            return stay(state)
        case Commit(), Vacant() | Allocated():
            return refuse(state, failure("NotAllocated", f"attempt {message.number} owns no room"))

        case Release(space, multihash), Allocated(_, number, size, stored) if owns(message, state):
            return become(Vacant(number), Free(space, size, stored), Drop(multihash))
        case Release(number=number), Vacant(released_up_to) if number > released_up_to:
            return become(Vacant(number))
        case Release(), Vacant() | Allocated():
            return stay(state)

        case _:
            assert_never((message, state))


def owns(message: Allocate | Commit | Release, state: Allocated) -> bool:
    return (message.attempt, message.number) == (state.attempt, state.number)


ALLOCATION = Machine(
    "allocation", 1, update, Vacant(), states=AnyState, messages=AnyMessage, tasks=AnyTask
)
