"""A machine that is not one of ours: an automatic door, made up to be drawn."""

from typing import Literal, TypeAlias, assert_never

from taijitu.kernel.effect import NEVER, Effect, Message, Task, send
from taijitu.kernel.machine import Machine, State, Step, amend, become, refuse, stay
from taijitu.kernel.receipt import failure

Colour: TypeAlias = Literal["red", "green"]


class Shut(State, tag="shut"):
    colour: Colour = "red"


class Opening(State, tag="opening"):
    colour: Colour
    since: int


class Open(State, tag="wide-open"):
    colour: Colour


class Broken(State):
    colour: Colour


class Jammed(Broken, tag="jammed"):
    """It does not move."""


class Overheated(Broken, tag="overheated"):
    """It moved for too long."""


AnyState: TypeAlias = Shut | Opening | Open | Jammed | Overheated


class Push(Message, tag="door/push"):
    force: int


class Swing(Message, tag="door/swing"):
    """It is open."""


class Jam(Message, tag="door/jam"):
    """It would not open."""


class Overheat(Message, tag="door/overheat"):
    """It took too long."""


class Close(Message, tag="door/close"):
    """Someone has gone through."""


class Paint(Message, tag="door/paint"):
    colour: Colour


AnyMessage: TypeAlias = Push | Swing | Jam | Overheat | Close | Paint


class Turn(Task, tag="motor/turn"):
    actor = "the motor"
    speed: int


class Pass(Task, tag="person/pass"):
    actor = "person"
    colour: str

    def ready_at(self) -> int:
        return NEVER


class Wait(Task, tag="clock/wait"):
    actor = "clock"
    until: int

    def ready_at(self) -> int:
        return self.until


class Ring(Task, tag="bell/ring"):
    actor = "bell"
    times: int


def update(state: AnyState, message: AnyMessage) -> Step[AnyState]:
    match message, state:
        case Push(at, force), Shut(colour) | Jammed(colour) | Overheated(colour):
            return become(Opening(colour, at), *turn(at, force))
        case Push(at, force), Opening(_, since) if force > since:
            return refuse(state, failure("TooHard", "gently"))
        case Push(), Opening() | Open():
            return stay(state)
        case Swing(), Opening(colour):
            return become(Open(colour), Pass(colour) >> send(Close), Ring(1))
        case Jam(), Opening(colour):
            return become(Jammed(colour), Ring(3))
        case Overheat(), Opening(colour):
            return become(Overheated(colour), Ring(3))
        case Close(), Open(colour):
            return become(Shut(colour))
        case Paint(_, colour), Opening(_, since):
            return amend(Opening(colour, since))
        case Paint(_, colour), Open():
            return amend(Open(colour))
        case Paint(_, colour), Shut():
            return become(Shut(colour))
        case Paint(), Jammed() | Overheated():
            return stay(state)
        case ((Swing() | Jam() | Overheat() | Close()), _):
            return stay(state)
        case _:
            assert_never((message, state))


def turn(at: int, force: int) -> tuple[Effect, ...]:
    motor = Turn(force)
    return motor >> send(Swing), ~motor >> send(Jam), Wait(at + 9) >> send(Overheat)


DOOR = Machine(
    "door",
    1,
    update,
    Shut(),
    states=AnyState,
    messages=AnyMessage,
    tasks=Turn | Pass | Wait | Ring,
)
