"""`piece`: that somebody offered some content to Filecoin, under the name that it would have there.

There is no Filecoin behind this service. What clients compute and send with every shard is noted
once and kept, for whoever wants to make deals of it later.
"""

from typing import TypeAlias, assert_never

from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Message, Path
from taijitu.kernel.machine import Machine, State, Step, become, stay


class Unknown(State, tag="unknown"):
    """Nobody has offered this content as this piece."""


class Offered(State, tag="offered"):
    """`agent` (a DID) was the first to say that `content` has this piece, by the invocation
    `cause`. `at` in ms since 1970."""

    piece: Link
    content: Link
    agent: str
    cause: Link
    at: int


AnyState: TypeAlias = Unknown | Offered


class Offer(Message, tag="filecoin/offer"):
    """An agent offers content as a piece."""

    invocation: Link
    piece: Link
    content: Link
    agent: str


def update(state: AnyState, message: Offer) -> Step[AnyState]:
    match message, state:
        case Offer(at, invocation, piece, content, agent), Unknown():
            return become(Offered(piece, content, agent, invocation, at))
        case Offer(), Offered():
            return stay(state)
        case _:
            assert_never((message, state))


def piece_at(piece: Link, content: Link) -> Path:
    """A wrong word about a piece stands beside the right one."""
    return ("piece", str(piece), str(content))


PIECE = Machine("piece", 1, update, Unknown(), states=AnyState, messages=Offer)
