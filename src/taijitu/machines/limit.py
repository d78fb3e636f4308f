"""`limit`: how much the operator lets one subject do: a space, an e-mail address or a domain.

A rate of 0 shuts it out; no other rate has an effect here.
"""

from typing import Final, TypeAlias, assert_never

from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Message, Path
from taijitu.kernel.machine import Machine, State, Step, become, refuse, stay
from taijitu.kernel.receipt import failure
from taijitu.kernel.record import Record

LIMITS_MAX: Final = 100
"""Limits of one subject."""


class Limit(Record):
    """`id` is the invocation that made it."""

    id: Link
    rate: float


class Unlimited(State, tag="unlimited"):
    """Nobody limits it."""


class Limited(State, tag="limited"):
    """The limits in the order in which they came."""

    subject: str
    limits: tuple[Limit, ...]


AnyState: TypeAlias = Unlimited | Limited


class Add(Message, tag="rate-limit/add"):
    """One more limit."""

    invocation: Link
    subject: str
    rate: float


class Remove(Message, tag="rate-limit/remove"):
    """One less."""

    id: Link


AnyMessage: TypeAlias = Add | Remove


def update(state: AnyState, message: AnyMessage) -> Step[AnyState]:
    match message, state:
        case Add(_, invocation, subject, rate), Unlimited():
            return become(Limited(subject, (Limit(invocation, rate),)))
        case Add(_, invocation, _, rate), Limited(subject, limits):
            if any(limit.id == invocation for limit in limits):
                return stay(state)
            limited = Limited(subject, (*limits, Limit(invocation, rate)))
            return become(limited) if len(limits) < LIMITS_MAX else refuse(state, TOO_MANY)

        case Remove(_, id), Limited(subject, limits):
            left = tuple(limit for limit in limits if limit.id != id)
            if left == limits:
                return refuse(state, NOT_FOUND)
            return become(Limited(subject, left) if left else Unlimited())
        case Remove(), Unlimited():
            return refuse(state, NOT_FOUND)

        case _:
            assert_never((message, state))


TOO_MANY: Final = failure("TooManyRateLimits", f"a subject has at most {LIMITS_MAX} limits")
NOT_FOUND: Final = failure("RateLimitsNotFound", "there is no such limit")


def limit_at(subject: str) -> Path:
    """`subject` is a segment of a path: see `protocols.names.segment`."""
    return ("limit", subject)


LIMIT = Machine("limit", 1, update, Unlimited(), states=AnyState, messages=AnyMessage)
