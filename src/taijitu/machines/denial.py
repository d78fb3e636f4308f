"""`denial`: that the operator wants some bytes not to be given out, whoever stored them.

It is about bytes, not about one way to name them: the cell is found by the multihash, so every CID
with that one is denied with it. Whoever gives bytes out by another hash asks for their SHA-256 as
well. What is stored stays stored, and can be removed by its spaces.
"""

from typing import Final, TypeAlias, assert_never

from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Message, Path
from taijitu.kernel.machine import Machine, State, Step, become, stay


class Allowed(State, tag="allowed"):
    """Nobody objects."""


class Denied(State, tag="denied"):
    """Not given out since `since` (ms since 1970). `link` is as the operator wrote it, `why` what
    he said about it, possibly nothing."""

    link: Link
    why: str
    since: int


AnyState: TypeAlias = Allowed | Denied


class Deny(Message, tag="denial/deny"):
    """An operator wants some bytes not to be given out, for a reason that may change."""

    link: Link
    why: str


class Allow(Message, tag="denial/allow"):
    """An operator takes that back."""


AnyMessage: TypeAlias = Deny | Allow


def update(state: AnyState, message: AnyMessage) -> Step[AnyState]:
    match message, state:
        case Deny(at, link, why), Allowed():
            return become(Denied(link, why, at))
        case Deny(_, link, why), Denied(since=since):
            return become(Denied(link, why, since))

        case Allow(), Denied():
            return become(Allowed())
        case Allow(), Allowed():
            return stay(state)

        case _:
            assert_never((message, state))


def denial_at(multihash: str) -> Path:
    return ("denial", multihash)


LIST: Final = "denied"
"""The name of the list of all that is denied."""


def lists(state: AnyState) -> tuple[str, ...]:
    match state:
        case Denied():
            return (LIST,)
        case Allowed():
            return ()


DENIAL = Machine("denial", 1, update, Allowed(), states=AnyState, messages=AnyMessage, lists=lists)
