"""`subscription`: who provides for one space, and at whose expense. Once, and for good.

The ledger of the space gets its room in the same commit.
"""

from typing import TypeAlias, assert_never

from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Message, Path
from taijitu.kernel.machine import Machine, State, Step, become, refuse, stay
from taijitu.kernel.receipt import Error, failure
from taijitu.machines.ledger import Provide


class Free(State, tag="free"):
    """No account has this space provided for."""


class Subscribed(State, tag="subscribed"):
    """`customer` (an account) had `space` provided for by `provider`, with the invocation `cause`,
    at `at` (ms since 1970)."""

    space: str
    customer: str
    provider: str
    cause: Link
    at: int


AnyState: TypeAlias = Free | Subscribed


class Subscribe(Message, tag="provider/add"):
    """An account has a space provided for, with room for `capacity` bytes."""

    invocation: Link
    space: str
    customer: str
    provider: str
    capacity: int


def update(state: AnyState, message: Subscribe) -> Step[AnyState]:
    match message, state:
        case Subscribe(at, invocation, space, customer, provider, capacity), Free():
            subscribed = Subscribed(space, customer, provider, invocation, at)
            return become(subscribed, Provide(space, capacity))
        case Subscribe(invocation=invocation), Subscribed(cause=cause) if invocation == cause:
            return stay(state)
        case Subscribe(), Subscribed(space):
            return refuse(state, already_provided_for(space))
        case _:
            assert_never((message, state))


def already_provided_for(space: str) -> Error:
    return failure("SpaceAlreadyProvisioned", f"{space} already has a storage provider")


def subscription_at(space: str) -> Path:
    return ("subscription", space)


def lists(state: AnyState) -> tuple[str, ...]:
    match state:
        case Subscribed(customer=customer):
            return (list_of(customer),)
        case Free():
            return ()


def list_of(customer: str) -> str:
    """The name of the list of what an account has provided for."""
    return f"subscription/{customer}"


SUBSCRIPTION = Machine(
    "subscription",
    1,
    update,
    Free(),
    states=AnyState,
    messages=Subscribe,
    tasks=Provide,
    lists=lists,
)
