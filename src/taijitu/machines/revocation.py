"""`revocation`: that one principal has taken one UCAN back. For ever: nothing undoes it.

A cell is about one pair, the UCAN and who revokes it. So what strangers say about a delegation
stands beside what its owner says, and neither replaces the other. Whether a revocation means
anything is not decided here: anyone may have one recorded, and those count who had a say in it.
"""

from typing import TypeAlias, assert_never

from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Message, Path
from taijitu.kernel.machine import Machine, State, Step, become, stay


class Silent(State, tag="silent"):
    """This principal has not revoked this UCAN."""


class Revoked(State, tag="revoked"):
    """`revoker` (a DID) has revoked `ucan` by the invocation `cause`. `at` in ms since 1970."""

    ucan: Link
    revoker: str
    cause: Link
    at: int


AnyState: TypeAlias = Silent | Revoked


class Revoke(Message, tag="ucan/revoke"):
    """`revoker` takes a UCAN back."""

    invocation: Link
    ucan: Link
    revoker: str


def update(state: AnyState, message: Revoke) -> Step[AnyState]:
    match message, state:
        case Revoke(at, invocation, ucan, revoker), Silent():
            return become(Revoked(ucan, revoker, invocation, at))
        case Revoke(), Revoked():
            return stay(state)
        case _:
            assert_never((message, state))


def revocation_at(ucan: Link, revoker: str) -> Path:
    """`revoker` is a segment of a path: see `protocols.names.segment`."""
    return ("revocation", str(ucan), revoker)


REVOCATION = Machine("revocation", 1, update, Silent(), states=AnyState, messages=Revoke)
