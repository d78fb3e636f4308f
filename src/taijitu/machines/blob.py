"""`blob`: who needs some bytes, whichever space they belong to, and when they may be swept.

An entry refers to its bytes from the moment it is active. Bytes are deleted only while nobody
refers to them and no URL that could still bring them is alive; and while they are being deleted,
whoever asks for them waits. `references` is a count: each allocation that holds room is one.
"""

from typing import TypeAlias, assert_never

from taijitu.kernel.effect import Message, Path, Request, send
from taijitu.kernel.machine import Machine, State, Step, amend, become, stay
from taijitu.machines.contents import Forget
from taijitu.machines.world import Delete


class Kept(State, tag="kept"):
    """`live_until`: when the last URL that could bring these bytes has closed, ms since 1970."""

    references: int = 0
    live_until: int = 0


class Sweeping(State, tag="sweeping"):
    """Being deleted. Whoever needs the bytes now waits, and then starts clean."""

    references: int
    live_until: int


AnyState: TypeAlias = Kept | Sweeping


class Refer(Request, tag="blob/refer"):
    """An attempt needs these bytes."""

    actor, machine, key = "blob", "blob", ("multihash",)
    multihash: str


class Drop(Request, tag="blob/drop"):
    """An attempt no longer needs these bytes."""

    actor, machine, key = "blob", "blob", ("multihash",)
    multihash: str


class Expose(Request, tag="blob/expose"):
    """A URL that can bring these bytes is alive until `until` (ms since 1970)."""

    actor, machine, key = "blob", "blob", ("multihash",)
    multihash: str
    until: int


class Sweep(Request, tag="blob/sweep"):
    """Delete the bytes if nobody refers to them. It is known that the time `as_of` has passed."""

    actor, machine, key = "blob", "blob", ("multihash",)
    multihash: str
    as_of: int


class Swept(Message, tag="blob/swept"):
    """The bytes are gone."""


AnyMessage: TypeAlias = Refer | Drop | Expose | Sweep | Swept
AnyTask: TypeAlias = Delete | Forget


def update(state: AnyState, message: AnyMessage) -> Step[AnyState]:
    match message, state:
        case Refer(), Kept(references, live_until):
            return become(Kept(references + 1, live_until))
        case Refer(), Sweeping(references, live_until):
            return amend(Sweeping(references + 1, live_until))

        case Drop(), Kept(references, live_until):
            return become(Kept(references - 1, live_until))
        case Drop(), Sweeping(references, live_until):
            return amend(Sweeping(references - 1, live_until))

        case Expose(_, until), Kept(references, live_until):
            return become(Kept(references, max(until, live_until)))
        case Expose(_, until), Sweeping(references, live_until):
            return amend(Sweeping(references, max(until, live_until)))

        case Sweep(multihash, as_of), Kept(0, live_until) if live_until <= as_of:
            deleted = Delete(multihash)
            forgotten = deleted >> Forget(multihash)
            return become(Sweeping(0, live_until), deleted >> send(Swept), forgotten)
        case Sweep(), Kept() | Sweeping():
            return stay(state)

        case Swept(), Sweeping(references, live_until):
            return become(Kept(references, live_until))
        case Swept(), Kept():
            return stay(state)

        case _:
            assert_never((message, state))


def blob_at(multihash: str) -> Path:
    return ("blob", multihash)


BLOB = Machine("blob", 1, update, Kept(), states=AnyState, messages=AnyMessage, tasks=AnyTask)
