"""`account`: what is known of who is reached by one e-mail address: since when, and its plan."""

from typing import TypeAlias, assert_never

from taijitu.kernel.effect import Message, Path, Request
from taijitu.kernel.machine import Machine, State, Step, become, refuse, stay
from taijitu.kernel.receipt import Error, failure


class Unknown(State, tag="unknown"):
    """Nobody by that name was ever here."""


class Known(State, tag="known"):
    """`confirmed`: when a login was first confirmed; `product`: the plan, by the DID of what is
    provided; `updated`: when that was last set. Times in ms since 1970."""

    account: str
    since: int
    confirmed: int | None
    product: str | None
    updated: int


AnyState: TypeAlias = Unknown | Known


class Greet(Request, tag="account/greet"):
    """A login of the account was confirmed, at `at`. `name`: the account as a segment of a path."""

    actor, machine, key = "account", "account", ("name",)
    name: str
    account: str
    at: int


class Assign(Message, tag="plan/assign"):
    """An operator gives an account a plan."""

    account: str
    product: str


class Choose(Message, tag="plan/set"):
    """An account changes to another plan; to its first one only where plans are `open`."""

    account: str
    product: str
    open: bool


AnyMessage: TypeAlias = Greet | Assign | Choose


def update(state: AnyState, message: AnyMessage) -> Step[AnyState]:
    match message, state:
        case Greet(_, account, at), Unknown():
            return become(Known(account, at, at, None, at))
        case Greet(at=at), Known(account, since, None, product, updated):
            return become(Known(account, since, at, product, updated))
        case Greet(), Known():
            return stay(state)

        case Assign(at, account, product), Unknown():
            return become(Known(account, at, None, product, at))
        case Assign(at, _, product), Known():
            return planned(state, product, at)

        case Choose(at, account, product, is_open), Unknown():
            known = Known(account, at, None, product, at)
            return become(known) if is_open else refuse(state, not_found(account))
        case Choose(_, account, _, False), Known(product=None):
            return refuse(state, not_found(account))
        case Choose(at, _, product), Known():
            return planned(state, product, at)

        case _:
            assert_never((message, state))


def planned(state: Known, product: str, at: int) -> Step[AnyState]:
    if product == state.product:
        return stay(state)
    return become(Known(state.account, state.since, state.confirmed, product, at))


def not_found(account: str) -> Error:
    return failure("CustomerNotFound", f"{account} not found")


def account_at(name: str) -> Path:
    """`name` is a segment of a path: see `protocols.names.segment`."""
    return ("account", name)


ACCOUNT = Machine("account", 1, update, Unknown(), states=AnyState, messages=AnyMessage)
