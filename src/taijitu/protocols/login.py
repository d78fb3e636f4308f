"""`access/authorize` and `access/confirm`: an agent asks to act for an account, and whoever reads
the account's mail (or runs the service) says yes.

Law: nothing but a UCAN signed by the service confirms a login, in time, for exactly what was asked.
The agent never sees that UCAN: it goes into the letter.
"""

import re
from collections.abc import Sequence
from typing import Any, Final
from unicodedata import normalize

from taijitu.engine.cell import read_head
from taijitu.engine.engine import Engine
from taijitu.ipld.cid import Link
from taijitu.kernel import receipt as kernel
from taijitu.kernel.machine import State
from taijitu.machines.login import (
    ASKED,
    Ask,
    Asked,
    Confirm,
    Confirmed,
    asked_of,
    login_at,
)
from taijitu.protocols.capabilities import (
    ACCESS_AUTHORIZE,
    ACCESS_CONFIRM,
    AccessAuthorize,
    AccessConfirm,
)
from taijitu.protocols.durable import Durable
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.limits import Limits, refusal
from taijitu.protocols.names import segment
from taijitu.protocols.pace import Pace
from taijitu.ucan import principal, session
from taijitu.ucan.principal import InvalidDid
from taijitu.ucan.session import Login, Session
from taijitu.ucan.signer import Signer

LIFETIME_SECONDS: Final = 15 * 60
"""How long a login can be confirmed."""

ATT_MAX: Final = 64
"""Abilities that one login asks for."""

ABILITY: Final = re.compile(r"\*|[a-z0-9._-]{1,64}(/[a-z0-9._-]{1,64}){0,6}(/\*)?")
"""What can be asked for: everything, one ability, or all under a name."""

LETTER: Final = r"[^\s.@<>()\[\],;:\\\"\x00-\x1f\x7f-\x9f]"
"""What an address consists of, besides dots. Nothing that ends a line, or that a mail server reads
as the end of an address."""

EMAIL: Final = re.compile(rf"(?:{LETTER}|\.){{1,64}}@(?!.{{256}}){LETTER}+(?:\.{LETTER}+)*")

LETTERS_TO_ACCOUNT: Final = 5, 3 * 60_000
"""To one account: so many letters at once, and then one every so many ms."""

LETTERS_OF_AGENT: Final = 10, 60_000
"""And so many because of one agent."""

LETTERS: Final = 500, 5_000
"""And so many in all: anyone can ask, and each is written down."""

LOGINS_SHOWN_MAX: Final = 1_000
"""Logins that wait to be confirmed, as many as are shown to people."""


class Logins:
    """What is known of logins, and how one is confirmed."""

    def __init__(self, engine: Engine, signer: Signer) -> None:
        self.engine = engine
        self.signer = signer

    async def confirm(self, request: Link) -> Error | None:
        """Say yes on behalf of the account, as the operator."""
        state = (await self.engine.read(login_at(request))).state
        if isinstance(state, Confirmed):
            return None
        message = Confirm(self.engine.now(), request, "", "", (), "")
        if isinstance(state, Asked):
            letter = session.confirmation(self.signer, login_of(state))
            message = confirming(self.engine.now(), letter.link, state)
        done = await self.engine.transact(login_at(request), message)
        return refusal(done.reply)

    async def asked(self, request: Link) -> Asked | None:
        """The login that an invocation asked for, if it waits to be confirmed."""
        state = (await self.engine.read(login_at(request))).state
        if isinstance(state, Asked) and self.engine.now() < state.expires:
            return state
        return None

    async def waiting(self, account: str | None = None) -> Sequence[Asked]:
        """The logins that wait to be confirmed, the newest first; those of one account, or all."""
        await self.engine.settled()
        name = ASKED if account is None else asked_of(account)
        rows = await self.engine.storage.listing(name, limit=LOGINS_SHOWN_MAX)
        states = [read_head(self.engine.machines, row)[0].state for _, row in rows]
        now = self.engine.now()
        return [each for each in states if isinstance(each, Asked) and now < each.expires]


class Authorization:
    """The two abilities."""

    def __init__(self, durable: Durable, limits: Limits) -> None:
        self.durable = durable
        self.engine: Engine = durable.engine
        self.signer = durable.signer
        self.limits = limits
        self.to_account = Pace(*LETTERS_TO_ACCOUNT)
        self.of_agent = Pace(*LETTERS_OF_AGENT)
        self.in_all = Pace(*LETTERS)

    def providers(self) -> tuple[Provider[Any], ...]:
        return (
            Provider(ACCESS_AUTHORIZE, self.authorize),
            Provider(ACCESS_CONFIRM, self.confirm),
        )

    async def authorize(self, invocation: Invocation[AccessAuthorize]) -> Outcome:
        """Ask the account by a letter. The receipt names what would confirm it, and no more."""
        agent, account = invocation.resource, invocation.nb.iss
        if account is None:
            return Error("Error", "nb.iss must be set: the account that is asked")
        att = abilities(invocation.nb.att)
        if not isinstance(att, tuple):
            return att
        refused = unreachable(account) or await self.limits.account_blocked(account)
        if refused is not None:
            return refused
        now = self.engine.now()
        if (refused := self.too_often(account, agent, now)) is not None:
            return refused
        seconds = now // 1000 + LIFETIME_SECONDS
        login = Login(invocation.link, account, agent, att, seconds)

        def answer(state: State, reply: kernel.Receipt) -> Ok | Error:
            if not isinstance(state, Asked):
                return Error("LoginExpired", "this was asked for long ago: ask for a new login")
            asked = login_of(state)
            letter = session.confirmation(self.signer, asked)
            return Ok({"request": asked.request, "expiration": asked.expires}, join=letter.link)

        message = Ask(now, invocation.link, account, agent, att, login.expires * 1000)
        return await self.durable.carry_out(invocation, login_at(invocation.link), message, answer)

    async def confirm(self, invocation: Invocation[AccessConfirm]) -> Outcome:
        """Say yes. That can be said again, and means nothing more then."""
        nb, service = invocation.nb, self.signer.did
        if invocation.resource != service:
            return Error("Unauthorized", f"only {service} can confirm a login here")
        att = abilities(nb.att)
        if not isinstance(att, tuple):
            return att

        def answer(state: State, reply: kernel.Receipt) -> Ok | Error | None:
            if (refused := refusal(reply)) is not None:
                return refused
            return Ok({"delegations": self.made(state)}) if isinstance(state, Confirmed) else None

        name = segment(nb.iss)
        message = Confirm(self.engine.now(), invocation.link, nb.iss, nb.aud, att, name)
        return await self.durable.carry_out(invocation, login_at(nb.cause), message, answer)

    def made(self, login: Confirmed) -> dict[str, bytes]:
        """The pair of a session, without what the account was delegated."""
        pair = session.pair(self.signer, session_of(login))
        return {str(each.link): session.packed(each) for each in pair}

    def too_often(self, account: str, agent: str, now: int) -> Error | None:
        """A letter is one of so many, to whom it goes and because of whom."""
        paces = ((self.to_account, account), (self.of_agent, agent), (self.in_all, ""))
        if not all(pace.allows(name, now) for pace, name in paces):
            why = f"too many logins were asked for: {account} gets no more letters for a while"
            return Error("TooManyLogins", why)
        for pace, name in paces:
            pace.note(name, now)
        return None


def login_of(state: Asked) -> Login:
    return Login(state.request, state.account, state.agent, state.att, state.expires // 1000)


def session_of(state: Confirmed) -> Session:
    return Session(state.request, state.account, state.agent, state.att, state.confirmation)


def confirming(at: int, confirmation: Link, asked: Asked) -> Confirm:
    name = segment(asked.account)
    return Confirm(at, confirmation, asked.account, asked.agent, asked.att, name)


def abilities(att: Sequence[dict[str, Any]]) -> tuple[str, ...] | Error:
    """What a login asks for, each ability once."""
    if not 0 < len(att) <= ATT_MAX:
        return Error("Error", f"a login asks for 1 to {ATT_MAX} abilities")
    found = tuple(dict.fromkeys(each["can"] for each in att))
    for can in found:
        if ABILITY.fullmatch(can) is None:
            return Error("Error", f"{can:.80} is not an ability in lower case")
    return found


def unreachable(account: str) -> Error | None:
    """The refusal for an account that no letter can be sent to, or that is spelled in a second
    way: one address is one account."""
    try:
        email = principal.to_email(account)
        is_address = EMAIL.fullmatch(email) is not None and email.isprintable()
        plain = normalize("NFKC", email) == email  # else a blocked domain has a second spelling
        if is_address and plain and principal.from_email(email) == account:
            return None
    except InvalidDid:
        pass
    return Error("Error", f"{account:.300} is not the account of an e-mail address")
