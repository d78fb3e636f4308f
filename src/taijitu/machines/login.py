"""`login`: that one agent asked to act for one account, and what became of it.

    asked ──> a letter to the account ──> confirmed, in time, for exactly what was asked
      └────── nobody answered ──────────> expired

Whoever holds the letter (or runs the service) can confirm it. A confirmed login is a session: it
stands in the list of its agent, and the UCANs that show it to others are made of it anew whenever
the agent claims them.
"""

from typing import Final, TypeAlias, assert_never

from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Message, Path, Task, send
from taijitu.kernel.machine import Machine, State, Step, become, refuse, stay
from taijitu.kernel.receipt import failure
from taijitu.machines.account import Greet
from taijitu.machines.world import Sleep


class Unasked(State, tag="unasked"):
    """Nobody asked for this login."""


class Asked(State, tag="asked"):
    """`agent` asked, by the invocation `request`, for the abilities `att` over all that `account`
    has. That can be confirmed before `expires`. Times in ms since 1970."""

    request: Link
    account: str
    agent: str
    att: tuple[str, ...]
    at: int
    expires: int


class Confirmed(State, tag="confirmed"):
    """The account said yes, by the UCAN `confirmation`, at `at` (ms since 1970)."""

    request: Link
    account: str
    agent: str
    att: tuple[str, ...]
    confirmation: Link
    at: int


class Expired(State, tag="expired"):
    """Nobody said yes in time."""

    request: Link
    account: str
    agent: str


AnyState: TypeAlias = Unasked | Asked | Confirmed | Expired


class Ask(Message, tag="access/authorize"):
    """An agent asks."""

    request: Link
    account: str
    agent: str
    att: tuple[str, ...]
    expires: int


class Confirm(Message, tag="access/confirm"):
    """The account says yes to what it was told: the same agent and the same abilities. `name` is
    the account as a segment of a path."""

    confirmation: Link
    account: str
    agent: str
    att: tuple[str, ...]
    name: str


class Expire(Message, tag="access/expire"):
    """The time is over."""


AnyMessage: TypeAlias = Ask | Confirm | Expire


class Mail(Task, tag="login/mail"):
    """Let the account know who asks for what, and how to say yes. `ok`, or `error` if it can not be
    reached; a letter may be sent more than once."""

    actor = "mailer"
    account: str
    agent: str
    att: tuple[str, ...]
    request: Link
    expires: int


def update(state: AnyState, message: AnyMessage) -> Step[AnyState]:
    match message, state:
        case Ask(at, request, account, agent, att, expires), Unasked():
            return become(
                Asked(request, account, agent, att, at, expires),
                Mail(account, agent, att, request, expires),
                Sleep(expires) >> send(Expire),
            )
        case Ask(), Asked() | Confirmed() | Expired():
            return stay(state)

        case Confirm(), Asked():
            return confirm(state, message)
        case Confirm(), Confirmed(_, account, agent, att):
            same = (message.account, message.agent, message.att) == (account, agent, att)
            return stay(state) if same else refuse(state, ANOTHER)
        case Confirm(), Expired():
            return refuse(state, LATE)
        case Confirm(), Unasked():
            return refuse(state, NOT_ASKED)

        case Expire(), Asked(request, account, agent):
            return become(Expired(request, account, agent))
        case Expire(), Unasked() | Confirmed() | Expired():
            return stay(state)

        case _:
            assert_never((message, state))


def confirm(state: Asked, yes: Confirm) -> Step[AnyState]:
    if (yes.account, yes.agent, yes.att) != (state.account, state.agent, state.att):
        return refuse(state, ANOTHER)
    if yes.at >= state.expires:
        return refuse(state, LATE)
    confirmed = Confirmed(
        state.request, state.account, state.agent, state.att, yes.confirmation, yes.at
    )
    return become(confirmed, Greet(yes.name, state.account, yes.at))


NOT_ASKED: Final = failure("LoginNotFound", "nobody asked for this login")
ANOTHER: Final = failure("Unauthorized", "this is not what was asked for")
LATE: Final = failure("LoginExpired", "this login was not confirmed in time: ask for it again")


def login_at(request: Link) -> Path:
    return ("login", str(request))


def lists(state: AnyState) -> tuple[str, ...]:
    match state:
        case Asked(account=account):
            return (ASKED, asked_of(account))
        case Confirmed(agent=agent):
            return (sessions_of(agent),)
        case Unasked() | Expired():
            return ()


ASKED: Final = "login"
"""The list of all logins that wait to be confirmed."""


def asked_of(account: str) -> str:
    """The name of the list of an account's logins that wait to be confirmed."""
    return f"login/asked/{account}"


def sessions_of(agent: str) -> str:
    """The name of the list of an agent's confirmed logins."""
    return f"login/confirmed/{agent}"


LOGIN = Machine(
    "login",
    1,
    update,
    Unasked(),
    states=AnyState,
    messages=AnyMessage,
    tasks=Mail | Sleep | Greet,
    lists=lists,
)
