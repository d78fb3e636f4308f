"""`egress`: how many bytes of one space gateways say that they have served.

Nothing is charged for it here. Each word of a gateway is a transition, so that the cell's history
tells what was served and when, for whoever wants to make bills of it.
"""

from typing import Final, TypeAlias, assert_never

from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Message, Path
from taijitu.kernel.machine import Machine, State, Step, become, stay

BYTES_MAX: Final = 2**63 - 1
"""The sum goes no further: a gateway may say what it likes."""


class Unserved(State, tag="unserved"):
    """No gateway has said anything."""


class Served(State, tag="served"):
    """`bytes` in `times` answers; the last word was the invocation `cause`."""

    space: str
    bytes: int
    times: int
    cause: Link


AnyState: TypeAlias = Unserved | Served


class Serve(Message, tag="egress/record"):
    """A gateway (`agent`, a DID) says that it has served `bytes` of a resource, at `served` by its
    own clock."""

    invocation: Link
    space: str
    resource: Link
    bytes: int
    served: int
    agent: str


def update(state: AnyState, message: Serve) -> Step[AnyState]:
    match message, state:
        case Serve(_, invocation, space, _, size), Unserved():
            return become(Served(space, size, 1, invocation))
        case Serve(_, invocation), Served(cause=cause) if invocation == cause:
            return stay(state)
        case Serve(_, invocation, space, _, size), Served(_, before, times):
            total = min(before + size, BYTES_MAX)
            return become(Served(space, total, times + 1, invocation))
        case _:
            assert_never((message, state))


def egress_at(space: str) -> Path:
    return ("egress", space)


EGRESS = Machine("egress", 1, update, Unserved(), states=AnyState, messages=Serve)
