"""`ledger`: how much one space may hold, and how much it does. Totals only.

    reserved = what live attempts hold      used = what is stored      reserved + used <= capacity

(A capacity that is lowered below use refuses new reservations and touches nothing.) The ledger is
changed only through allocations, each of which knows whether it was already counted; and always
in the commit of the transition that asks.

An operator may block a space: nothing new is let in, what is stored stays, what was promised is
kept (an upload under way may end), and what is removed gives its room back.
"""

from typing import TypeAlias, assert_never

from taijitu.kernel.effect import Message, Path, Request
from taijitu.kernel.machine import Machine, State, Step, become, refuse, stay
from taijitu.kernel.receipt import failure


class Unprovisioned(State, tag="unprovisioned"):
    """Nobody has given this space any room."""


class Provisioned(State, tag="provisioned"):
    """`capacity`, `reserved` and `used` in bytes; `entries` is how many are stored."""

    capacity: int
    reserved: int = 0
    used: int = 0
    entries: int = 0


class Blocked(State, tag="blocked"):
    """As `Provisioned`, and nothing new comes in. `capacity` is `None` for a space that nobody had
    given any room."""

    capacity: int | None
    reserved: int = 0
    used: int = 0
    entries: int = 0


AnyState: TypeAlias = Unprovisioned | Provisioned | Blocked


class Provision(Message, tag="space/provision"):
    """An operator gives a space room for `capacity` bytes."""

    space: str
    capacity: int


class Open(Message, tag="space/open"):
    """A space that nobody has provisioned is used for the first time, where that is allowed."""

    space: str
    capacity: int


class Block(Message, tag="space/block"):
    """An operator lets nothing new into a space."""

    space: str


class Unblock(Message, tag="space/unblock"):
    """An operator lets a space in again, with the room that it had."""

    space: str


class Provide(Request, tag="ledger/provide"):
    """An account has a space provided for. Room that it has already is not taken away."""

    actor, machine, key = "ledger", "ledger", ("space",)
    space: str
    capacity: int


class Reserve(Request, tag="ledger/reserve"):
    """Set room aside for an attempt."""

    actor, machine, key = "ledger", "ledger", ("space",)
    space: str
    size: int


class Use(Request, tag="ledger/use"):
    """What was reserved is now stored."""

    actor, machine, key = "ledger", "ledger", ("space",)
    space: str
    size: int


class Free(Request, tag="ledger/free"):
    """Give back what was reserved, or (`stored`) what was used."""

    actor, machine, key = "ledger", "ledger", ("space",)
    space: str
    size: int
    stored: bool


AnyMessage: TypeAlias = Provision | Open | Block | Unblock | Provide | Reserve | Use | Free


def update(state: AnyState, message: AnyMessage) -> Step[AnyState]:
    match message, state:
        case Provision(capacity=capacity), Unprovisioned():
            return become(Provisioned(capacity))
        case Provision(capacity=capacity), Provisioned(_, reserved, used, entries):
            return become(Provisioned(capacity, reserved, used, entries))
        case Provision(capacity=capacity), Blocked(_, reserved, used, entries):
            return become(Blocked(capacity, reserved, used, entries))

        case Open(capacity=capacity), Unprovisioned():
            return become(Provisioned(capacity))
        case Open(), Provisioned() | Blocked():
            return stay(state)

        case Provide(_, capacity), Unprovisioned():
            return become(Provisioned(capacity))
        case Provide(_, capacity), Blocked(None):
            return become(Blocked(capacity))
        case Provide(), Provisioned() | Blocked():
            return stay(state)

        case Block(), Unprovisioned():
            return become(Blocked(None))
        case Block(), Provisioned(capacity, reserved, used, entries):
            return become(Blocked(capacity, reserved, used, entries))
        case Unblock(), Blocked(None):
            return become(Unprovisioned())
        case Unblock(), Blocked(capacity, reserved, used, entries):
            return become(Provisioned(capacity or 0, reserved, used, entries))
        case Block(), Blocked():
            return stay(state)
        case Unblock(), Unprovisioned() | Provisioned():
            return stay(state)

        case Reserve(space, _), Unprovisioned():
            return refuse(state, failure("InsufficientStorage", f"{space} has no storage provider"))
        case Reserve(space, _), Blocked():
            return refuse(state, blocked(space))
        case Reserve(_, size), Provisioned(capacity, reserved, used, entries):
            if reserved + used + size > capacity:
                return refuse(state, no_room(state, size))
            return become(Provisioned(capacity, reserved + size, used, entries))

        case Use(_, size), Provisioned(capacity, reserved, used, entries):
            return become(Provisioned(capacity, reserved - size, used + size, entries + 1))
        case Free(_, size, True), Provisioned(capacity, reserved, used, entries):
            return become(Provisioned(capacity, reserved, used - size, entries - 1))
        case Free(_, size, _), Provisioned(capacity, reserved, used, entries):
            return become(Provisioned(capacity, reserved - size, used, entries))

        case Use(_, size), Blocked(capacity, reserved, used, entries):
            return become(Blocked(capacity, reserved - size, used + size, entries + 1))
        case Free(_, size, True), Blocked(capacity, reserved, used, entries):
            return become(Blocked(capacity, reserved, used - size, entries - 1))
        case Free(_, size, _), Blocked(capacity, reserved, used, entries):
            return become(Blocked(capacity, reserved - size, used, entries))

        case Use() | Free(), Unprovisioned():
            return stay(state)

        case _:
            assert_never((message, state))


def blocked(space: str):
    return failure("InsufficientStorage", f"{space} is blocked")


def no_room(ledger: Provisioned, size: int):
    room = max(0, ledger.capacity - ledger.reserved - ledger.used)
    return failure(
        "InsufficientStorage",
        f"no room for {size} bytes: {room} of {ledger.capacity} are free "
        f"({ledger.used} stored, {ledger.reserved} set aside for uploads)",
    )


def ledger_at(space: str) -> Path:
    return ("ledger", space)


LEDGER = Machine("ledger", 1, update, Unprovisioned(), states=AnyState, messages=AnyMessage)
