"""`usage/report` and `account/usage/get`: how much spaces held, and by which events that changed.

Nothing is counted beside the ledger: each of its transitions says what a space held after it, and
which invocation it followed from. Room counts from when it is set aside.

Law: what a report says was held at the end of a period is what was held at its beginning and the
sum of its events. One that would have to tell of too many begins later than was asked, and says so;
the period before it can be asked for next.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from math import inf
from typing import Any, Final

from taijitu.engine.cell import path_text
from taijitu.engine.chain import transitions
from taijitu.engine.engine import Engine
from taijitu.ipld.cid import Link
from taijitu.kernel.failures import Bug
from taijitu.kernel.machine import State
from taijitu.kernel.record import Record
from taijitu.machines.ledger import Blocked, Provisioned, ledger_at
from taijitu.protocols.capabilities import PERIOD, USAGE_REPORT, UsageReport
from taijitu.protocols.entries import TIME_MAX, iso
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.subscribed import subscription, subscriptions
from taijitu.ucan import schema
from taijitu.ucan.capability import Ability, Claim, equal, equal_with
from taijitu.ucan.schema import Fields, account_did, optional, space_did

EVENTS_MAX: Final = 5_000
"""Events of one answer."""

STEPS_MAX: Final = 50_000
"""Transitions of ledgers that are looked at for one answer."""

STEPS_AT_ONCE: Final = 200
"""Transitions that are looked at before everybody else has a turn."""

SPACES_MAX: Final = 500
"""Spaces of one answer."""

SECOND: Final = 1000
"""Milliseconds."""

SECONDS_MAX: Final = TIME_MAX // SECOND
"""What is later is taken for it."""


class Period(Record):
    """From `start` until before `end`, in ms since 1970."""

    start: int
    end: int


class Event(Record):
    """What a space holds changed by `delta` bytes, at a time in ms since 1970. `cause` is the
    invocation that did it, or the transition, if it was time."""

    cause: Link
    delta: int
    at: int


class Usage(Record):
    """What a space held in a period, in bytes; the oldest event first. `period` may begin later
    than was asked: `initial` is what was held then."""

    period: Period
    initial: int
    final: int
    events: tuple[Event, ...]


class Step(Record):
    """What a space held from `at` on (ms since 1970), until the next step."""

    cause: Link | None
    at: float
    held: int


NOTHING_YET: Final = Step(None, -inf, 0)


class Budget:
    """How much may still be looked at, and told."""

    def __init__(self, steps: int = STEPS_MAX, events: int = EVENTS_MAX) -> None:
        self.steps = steps
        self.events = events

    @property
    def is_spent(self) -> bool:
        return self.steps < 0 or self.events < 0


class TooLongAgo(Exception):
    """The end of the period is further back than a budget reaches."""


class AccountUsageGet(Record):
    spaces: list[str] | None
    period: dict[str, int] | None


def fewer_spaces(claim: Claim, delegated: Claim) -> str | None:
    """The same account and period, and no space more."""
    violation = equal_with(claim, delegated)
    violation = violation or equal(claim.nb.get("period"), delegated.nb.get("period"), "period")
    allowed: list[str] | None = delegated.nb.get("spaces")
    asked: list[str] | None = claim.nb.get("spaces")
    if violation or allowed is None:
        return violation
    if asked is None:
        return f"Constraint violation: only of {','.join(allowed)}, not of all spaces"
    more = [space for space in asked if space not in allowed]
    return f"Constraint violation: {','.join(more)} not in the spaces delegated" if more else None


ACCOUNT_USAGE_GET: Final = Ability(
    "account/usage/get",
    account_did,
    Fields(
        AccountUsageGet,
        {"spaces": optional(schema.list_of(space_did)), "period": optional(PERIOD)},
    ),
    fewer_spaces,
)


class Reports:
    """The two abilities. `service` is who provides for what no account has provided for."""

    def __init__(self, engine: Engine, service: str) -> None:
        self.engine = engine
        self.service = service

    def providers(self) -> tuple[Provider[Any], ...]:
        return (
            Provider(USAGE_REPORT, self.report),
            Provider(ACCOUNT_USAGE_GET, self.account),
        )

    async def report(self, invocation: Invocation[UsageReport]) -> Outcome:
        """What one space held; `{}` if nobody provides for it."""
        space, period = invocation.resource, period_of(invocation.nb.period)
        try:
            told = await self.of(space, period, Budget())
        except TooLongAgo:
            return too_much()
        return Ok({} if told is None else {told["provider"]: told})

    async def account(self, invocation: Invocation[AccountUsageGet]) -> Outcome:
        """What the spaces of an account held, or some of them; since the beginning of last month
        if no period is given."""
        account, nb = invocation.resource, invocation.nb
        if nb.spaces is None:
            found = subscriptions(self.engine, account, SPACES_MAX + 1)
            wanted = {each.space async for each in found}
        else:
            wanted = set(nb.spaces)
        if len(wanted) > SPACES_MAX:
            return Error("Error", f"these are more than {SPACES_MAX} spaces: ask for some of them")
        for space in sorted(wanted):
            subscribed = await subscription(self.engine, space)
            if subscribed is None or subscribed.customer != account:
                why = f"No subscription found for account {account} in space {space}"
                return Error("NoSubscription", why)
        period = period_of(nb.period) if nb.period else recently(self.engine.now())
        budget = Budget()
        spaces: dict[str, Any] = {}
        try:
            for space in sorted(wanted):
                told = await self.of(space, period, budget)
                if told is not None:
                    providers = {told["provider"]: told}
                    spaces[space] = {"total": told["size"]["final"], "providers": providers}
        except TooLongAgo:
            return too_much()
        return Ok({"total": sum(each["total"] for each in spaces.values()), "spaces": spaces})

    async def of(self, space: str, period: Period, budget: Budget) -> Mapping[str, Any] | None:
        """The report about one space, or `None` if nobody provides for it. Raises `TooLongAgo`."""
        if not is_provided((await self.engine.read(ledger_at(space))).state):
            return None
        found = await usage(self.engine, space, period, budget)
        subscribed = await subscription(self.engine, space)
        return {
            "provider": subscribed.provider if subscribed else self.service,
            "space": space,
            "period": {"from": iso(found.period.start), "to": iso(found.period.end)},
            "size": {"initial": found.initial, "final": found.final},
            "events": [
                {"cause": each.cause, "delta": each.delta, "receiptAt": iso(each.at)}
                for each in found.events
            ],
        }


async def usage(engine: Engine, space: str, period: Period, budget: Budget) -> Usage:
    """What a space held in a period. Raises `TooLongAgo`.

    A budget that is spent ends it, but not within a second: what a report leaves out can be asked
    for, and periods are asked for in seconds.
    """
    final: int | None = None
    newer: Step | None = None
    events: list[Event] = []
    async with aclosing(steps(engine, space)) as chain:
        async for step in chain:
            if newer is not None and newer.held != step.held:
                events.append(event_of(newer, newer.held - step.held))
                budget.events -= 1
            if final is None and step.at < period.end:
                final = step.held
            if final is not None and step.at < period.start:
                return Usage(period, step.held, final, tuple(reversed(events)))
            budget.steps -= 1
            if budget.is_spent:
                if final is None:
                    raise TooLongAgo
                if newer is not None and newer.at // SECOND > step.at // SECOND:
                    start = (int(step.at) // SECOND + 1) * SECOND
                    rest = Period(start, period.end)
                    return Usage(rest, step.held, final, tuple(reversed(events)))
            newer = step if step.at < period.end else None
    raise Bug(f"the ledger of {space} has no beginning")


async def steps(engine: Engine, space: str) -> AsyncGenerator[Step]:
    """How what a space held came about, the newest first. The times of transitions that were made
    at once may be out of order by a little: none is taken to be later than the one after it."""
    at, looked = inf, 0
    head = await engine.storage.head(path_text(ledger_at(space)))
    async with aclosing(transitions(engine.storage, engine.machines, head)) as chain:
        async for cid, made in chain:
            at = min(at, made.at)
            yield Step(made.cause or cid, at, held(made.state))
            looked += 1
            if looked % STEPS_AT_ONCE == 0:
                await asyncio.sleep(0)
    yield NOTHING_YET


def event_of(step: Step, delta: int) -> Event:
    assert step.cause is not None
    return Event(step.cause, delta, int(step.at))


def held(state: State) -> int:
    """Bytes that a space holds: what is set aside for it, and what is stored."""
    return state.reserved + state.used if isinstance(state, Provisioned | Blocked) else 0


def is_provided(state: State) -> bool:
    """Whether somebody has given the space room."""
    match state:
        case Provisioned():
            return True
        case Blocked(capacity):
            return capacity is not None
        case _:
            return False


def period_of(nb: Mapping[str, int]) -> Period:
    """A period as it is asked for, in seconds. One that ends before it begins is empty."""
    start, end = (min(nb[name], SECONDS_MAX) * SECOND for name in ("from", "to"))
    return Period(start, max(start, end))


def recently(now: int) -> Period:
    """From the beginning of last month until now, in UTC."""
    today = datetime.fromtimestamp(now / SECOND, UTC)
    year, month = (today.year, today.month - 1) if today.month > 1 else (today.year - 1, 12)
    return Period(int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * SECOND, now + 1)


def too_much() -> Error:
    return Error(
        "Error",
        f"that would take to look at more than {STEPS_MAX} changes: ask for a later end of the "
        "period, or for fewer spaces",
    )
