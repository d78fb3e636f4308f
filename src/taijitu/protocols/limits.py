"""`rate-limit/*`: whom the operator shuts out: a space, an e-mail address, or all of a domain.

Limits are kept under what they are about. While there are none at all, asking costs nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

from taijitu.engine.cell import read_head
from taijitu.engine.engine import Engine
from taijitu.ipld.cid import InvalidLink, Link, link_to
from taijitu.kernel import receipt as kernel
from taijitu.kernel.effect import Path
from taijitu.kernel.machine import State
from taijitu.kernel.record import Record
from taijitu.machines.limit import NOT_FOUND, Add, Limit, Limited, Remove, limit_at
from taijitu.protocols.durable import Durable
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.names import segment
from taijitu.ucan import principal
from taijitu.ucan.capability import Ability, equal_field
from taijitu.ucan.principal import InvalidDid
from taijitu.ucan.schema import Fields, Mismatch, did, shown, text

SUBJECT_LENGTH_MAX: Final = 1_000
"""Characters of what a limit is about."""

OPERATOR: Final = "operator"
"""Limits that the operator sets by hand have no invocation to be named by."""

PAGE: Final = 100
"""Subjects that are read at once."""

ID_SEPARATOR: Final = ":"
"""A limit is named `<invocation>:<subject>`: so it is found without looking through all."""


class RateLimitAdd(Record):
    subject: str
    rate: float
    """0 shuts the subject out."""


class RateLimitList(Record):
    subject: str


class RateLimitRemove(Record):
    id: str


def rate(value: Any) -> float:
    if value.__class__ not in (int, float):
        raise Mismatch(f"Expected value of type number instead got {shown(value)}")
    return float(value)


RATE_LIMIT_ADD: Final = Ability(
    "rate-limit/add",
    did,
    Fields(RateLimitAdd, {"subject": text, "rate": rate}),
    equal_field("subject", "rate"),
)
RATE_LIMIT_LIST: Final = Ability(
    "rate-limit/list", did, Fields(RateLimitList, {"subject": text}), equal_field("subject")
)
RATE_LIMIT_REMOVE: Final = Ability(
    "rate-limit/remove", did, Fields(RateLimitRemove, {"id": text}), equal_field("id")
)


class Limits:
    """What is known of limits, by subject."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.any: bool | None = None
        """Whether there ever was one; `None` until somebody has looked."""
        self.observers: list[Callable[[str], None]] = []
        """Told of each subject that has more or fewer limits than before."""

    def tell(self, subject: str) -> None:
        """The limits of a subject have changed."""
        for observer in self.observers:
            observer(subject)

    async def blocked(self, *subjects: str) -> bool:
        """Whether one of them is shut out."""
        if self.any is None:
            found = bool(await self.engine.storage.scan("limit/", limit=1))
            self.any = found or bool(self.any)  # one may have come while we looked
        if not self.any:
            return False
        for subject in subjects:
            state = await self.engine.peek(subject_at(subject))
            if any(limit.rate <= 0 for limit in limits_in(state)):
                return True
        return False

    async def account_blocked(self, account: str) -> Error | None:
        """The refusal for an account whose e-mail address or domain is shut out."""
        if not await self.shuts_out(account):
            return None
        return Error("AccountBlocked", f"Account identified by {account} is blocked")

    async def shuts_out(self, account: str) -> bool:
        """Whether the e-mail address of an account or its domain is shut out."""
        try:
            email = principal.to_email(account)
        except InvalidDid:
            return False
        return await self.blocked(email.rpartition("@")[2], email)

    async def block(self, subject: str) -> Error | None:
        """Shut a subject out, as the operator. Once more changes nothing."""
        self.any = True
        name = link_to(f"{OPERATOR} {subject}".encode())
        message = Add(self.engine.now(), name, subject, 0.0)
        done = await self.engine.transact(subject_at(subject), message)
        self.tell(subject)
        return refusal(done.reply)

    async def unblock(self, subject: str) -> bool:
        """Take back all that shuts a subject out, whoever did it. Whether there was anything."""
        path = subject_at(subject)
        state = (await self.engine.read(path)).state
        shut = [each for each in limits_in(state) if each.rate <= 0]
        for each in shut:
            await self.engine.transact(path, Remove(self.engine.now(), each.id))
        if shut:
            self.tell(subject)
        return bool(shut)

    async def all_blocked(self) -> AsyncIterator[str]:
        """All subjects that are shut out."""
        after = ""
        while rows := await self.engine.storage.scan("limit/", after=after, limit=PAGE):
            for row in rows:
                state = read_head(self.engine.machines, row)[0].state
                if isinstance(state, Limited) and any(each.rate <= 0 for each in state.limits):
                    yield state.subject
            after = rows[-1].path
            await asyncio.sleep(0)


class RateLimits:
    """The three abilities, over `service` (a DID) alone."""

    def __init__(self, durable: Durable, limits: Limits, service: str) -> None:
        self.durable = durable
        self.engine: Engine = durable.engine
        self.limits = limits
        self.service = service

    def providers(self) -> tuple[Provider[Any], ...]:
        return (
            Provider(RATE_LIMIT_ADD, self.add),
            Provider(RATE_LIMIT_LIST, self.list),
            Provider(RATE_LIMIT_REMOVE, self.remove),
        )

    async def add(self, invocation: Invocation[RateLimitAdd]) -> Outcome:
        """Limit a subject."""
        subject, rate = invocation.nb.subject, invocation.nb.rate
        if (refused := self.unwanted(invocation.resource, subject)) is not None:
            return refused
        self.limits.any = True

        def answer(_: State, reply: kernel.Receipt) -> Ok | Error:
            return refusal(reply) or Ok({"id": named(invocation.link, subject)})

        message = Add(self.engine.now(), invocation.link, subject, rate)
        path = subject_at(subject)
        outcome = await self.durable.carry_out(invocation, path, message, answer)
        self.limits.tell(subject)
        return outcome

    async def list(self, invocation: Invocation[RateLimitList]) -> Outcome:
        """The limits of a subject."""
        subject = invocation.nb.subject
        if (refused := self.unwanted(invocation.resource, subject)) is not None:
            return refused
        state = (await self.engine.read(subject_at(subject))).state
        limits = limits_in(state)
        shown = [{"id": named(each.id, subject), "rate": spelled(each.rate)} for each in limits]
        return Ok({"limits": shown})

    async def remove(self, invocation: Invocation[RateLimitRemove]) -> Outcome:
        """Take a limit back."""
        link, _, subject = invocation.nb.id.partition(ID_SEPARATOR)
        if (refused := self.unwanted(invocation.resource, subject or link)) is not None:
            return refused
        try:
            limit = Link.parse(link)
        except InvalidLink:
            limit = None
        if limit is None or not subject:
            return Error(NOT_FOUND.value["name"], NOT_FOUND.value["message"])

        def answer(_: State, reply: kernel.Receipt) -> Ok | Error:
            return refusal(reply) or Ok({})

        message = Remove(self.engine.now(), limit)
        path = subject_at(subject)
        outcome = await self.durable.carry_out(invocation, path, message, answer)
        self.limits.tell(subject)
        return outcome

    def unwanted(self, resource: str, subject: str) -> Error | None:
        if resource != self.service:
            return Error("UnknownProvider", f"Provider {resource} not found", {"did": resource})
        if not 0 < len(subject) <= SUBJECT_LENGTH_MAX:
            return Error("Error", f"a subject has 1 to {SUBJECT_LENGTH_MAX} characters")
        return None


def subject_at(subject: str) -> Path:
    """The cell of a subject. A domain is the same in capitals, and most mail boxes are; spaces are
    not."""
    return limit_at(segment(subject if subject.startswith("did:") else subject.lower()))


def limits_in(state: State | None) -> Sequence[Limit]:
    return state.limits if isinstance(state, Limited) else ()


def named(invocation: Link, subject: str) -> str:
    return f"{invocation}{ID_SEPARATOR}{subject}"


def spelled(rate: float) -> float:
    """A whole number as one: a block holds no whole number as a float."""
    return int(rate) if rate.is_integer() else rate


def refusal(reply: kernel.Receipt) -> Error | None:
    """The error with which a cell refuses."""
    if isinstance(reply, kernel.Error):
        return Error(reply.value["name"], reply.value["message"])
    return None
