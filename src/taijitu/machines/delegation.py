"""`delegation`: that one UCAN is kept here for its audience, until that comes and claims it."""

from typing import TypeAlias, assert_never

from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Message, Path
from taijitu.kernel.machine import Machine, State, Step, become, stay


class Absent(State, tag="absent"):
    """It is not kept here."""


class Held(State, tag="held"):
    """`ucan` is for `audience`; whoever may speak for `space` left it here by the invocation
    `cause`. `archive` is a CAR: the UCAN as its root, and what must travel with it. `expires` in
    seconds since 1970, `at` in ms."""

    audience: str
    space: str
    ucan: Link
    archive: bytes
    expires: int | None
    cause: Link
    at: int


AnyState: TypeAlias = Absent | Held


class Hold(Message, tag="access/delegate"):
    """Somebody leaves it here."""

    invocation: Link
    audience: str
    space: str
    ucan: Link
    archive: bytes
    expires: int | None


def update(state: AnyState, message: Hold) -> Step[AnyState]:
    match message, state:
        case Hold(at, invocation, audience, space, ucan, archive, expires), Absent():
            return become(Held(audience, space, ucan, archive, expires, invocation, at))
        case Hold(), Held():
            return stay(state)
        case _:
            assert_never((message, state))


def delegation_at(audience: str, ucan: Link) -> Path:
    """`audience` is a segment of a path: see `protocols.names.segment`."""
    return ("delegation", audience, str(ucan))


def lists(state: AnyState) -> tuple[str, ...]:
    match state:
        case Held(audience, space):
            return (list_of(audience), list_from(space, audience))
        case Absent():
            return ()


def list_of(audience: str) -> str:
    """The name of the list of what is kept for somebody."""
    return f"delegation/{audience}"


def list_from(space: str, audience: str) -> str:
    """The name of the list of what one space has left here for somebody."""
    return f"delegation/{space}/{audience}"


DELEGATION = Machine("delegation", 1, update, Absent(), states=AnyState, messages=Hold, lists=lists)
