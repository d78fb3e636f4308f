"""Execution: an invocation comes in, a signed receipt goes out, whatever becomes of it.

    one capability ──> a provider for it ──> addressed to us ──> authorised ──> handled
          │                   │                    │                 │            │
          └───────────────────┴────── an `error` receipt ────────────┴────────────┘

Law: every final outcome is a receipt. Only what is not final is raised: `NotReady` (ask again), a
`Fault` (the world did not answer: ask again) and `MalformedInvocation` (the message is at fault).
The order of the checks is ucanto's.
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Generic, TypeAlias, TypeVar

from taijitu.ipld.cid import Link
from taijitu.ipld.dagcbor import EncodeError
from taijitu.kernel.failures import Fault
from taijitu.kernel.record import Record
from taijitu.ucan import receipt
from taijitu.ucan.authorize import Authorization, Unauthorized, authorize
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.capability import Ability
from taijitu.ucan.delegation import Delegation, InvalidDelegation
from taijitu.ucan.receipt import InvalidReceipt, Receipt
from taijitu.ucan.remembered import Remembered
from taijitu.ucan.signer import Signer
from taijitu.ucan.validity import Authority
from taijitu.wire.exchange import Answer
from taijitu.wire.message import NOTHING, Message

N = TypeVar("N", bound=Record)

RETRY_AFTER_SECONDS: Final = 1
"""When to ask again, if whoever is not ready does not know better."""
RETRY_AFTER_SECONDS_MAX: Final = 3_600
UNANSWERED: Final = "There is no answer yet. Ask again: nothing is lost."
CAUSE_LENGTH_MAX: Final = 1_000
"""Characters of an exception's text that a receipt repeats."""


class MalformedInvocation(ValueError):
    """The message asks to execute what is not there, or is not an invocation: HTTP 400."""


class NotReady(Exception):
    """There is no outcome yet; asking again will find it. Never a receipt: HTTP 503."""

    def __init__(
        self, retry_after_seconds: int = RETRY_AFTER_SECONDS, *, why: str = UNANSWERED
    ) -> None:
        """`why` is a sentence or two for whoever asked."""
        super().__init__(why)
        self.why = why
        self.retry_after_seconds = max(0, min(retry_after_seconds, RETRY_AFTER_SECONDS_MAX))


class Invocation(Record, Generic[N], eq=False):
    """An authorised request, as its handler sees it."""

    link: Link
    issuer: str
    """The agent who asks."""
    resource: str
    """What it is about (`with`): mostly the DID of a space."""
    nb: N
    delegation: Delegation
    chain: tuple[Delegation, ...]
    """The delegations it is authorised by: itself first, the owner's last."""
    blocks: Mapping[Link, bytes]
    """Everything that came in the same message."""


class Ok(Record, eq=False):
    """The request was carried out. `value` is a map for all but `console/log`."""

    value: Any
    fork: tuple[Link, ...] = ()
    """Tasks that follow from it."""
    join: Link | None = None
    blocks: Mapping[Link, bytes] = NOTHING
    """Blocks that must travel with the receipt: the tasks and whatever they mention."""
    tasks: Mapping[Link, bytes] = NOTHING
    """Receipts of those tasks that are over already."""
    failed: str = ""
    """The name of the error that one of those ended with: the request came to nothing, too."""


class Error(Record, eq=False):
    """The protocol says no. That is final, and recorded like any other outcome."""

    name: str
    message: str
    fields: Mapping[str, object] = {}
    fork: tuple[Link, ...] = ()
    join: Link | None = None
    blocks: Mapping[Link, bytes] = NOTHING
    tasks: Mapping[Link, bytes] = NOTHING

    @property
    def value(self) -> dict[str, object]:
        """As a receipt holds it."""
        return {**self.fields, "name": self.name, "message": self.message}


class Recorded(Record, eq=False):
    """A receipt that was issued before, to be given again."""

    receipt: Receipt
    blocks: Mapping[Link, bytes] = NOTHING
    """Blocks that must travel with it, besides the invocation and its proofs."""
    failed: str = ""
    """As in `Ok`."""


Outcome: TypeAlias = Ok | Error | Recorded
Handler: TypeAlias = Callable[[Invocation[N]], Awaitable[Outcome]]


class Provider(Record, Generic[N], eq=False):
    """Who answers for one ability."""

    ability: Ability[N]
    handle: Handler[N]


async def _no_revokers(_: Collection[Link], __: Bundle) -> Mapping[Link, Collection[str]]:
    return {}


async def _nothing_recorded(_: Link) -> Recorded | None:
    return None


@asynccontextmanager
async def _at_once(_: str) -> AsyncGenerator[None, None]:
    """Everybody's turn is now."""
    yield


def _not_noticed(_: Link, __: Exception) -> None:
    """The receipt says what was raised."""


def _not_counted(_: str, __: str) -> None:
    """Nobody counts."""


class Service(Record, eq=False):
    """All that executing needs to know."""

    signer: Signer
    authority: Authority
    providers: Mapping[str, Provider[Any]]
    """By ability; see `providers`."""
    clock: Callable[[], int]
    """Seconds since 1970."""
    revokers: Callable[[Collection[Link], Bundle], Awaitable[Mapping[Link, Collection[str]]]] = (
        _no_revokers
    )
    """Who has revoked which of these UCANs, which are in that bundle. If it raises, so does
    executing: nothing is done."""
    recorded: Callable[[Link], Awaitable[Recorded | None]] = _nothing_recorded
    """The receipt of an invocation that was executed before: given again without checking
    anything, so also after the invocation has expired."""
    remembered: Remembered | None = None
    turn: Callable[[str], AbstractAsyncContextManager[None]] = _at_once
    """Waits for a turn of a resource, which the handler then has. Raises `NotReady`."""
    raised: Callable[[Link, Exception], None] = _not_noticed
    """Told of exceptions that handlers raise, with the invocation."""
    told: Callable[[str, str], None] = _not_counted
    """Told of every invocation: its ability, and `ok`, `not ready`, `fault` or the name of its
    error. Both may come from the client, and be anything."""


class Executed(Record, eq=False):
    """A receipt, and the blocks that travel with it."""

    receipt: Receipt
    blocks: Mapping[Link, bytes]
    """The invocation with its proofs, what the receipt's effects need, and the receipt itself."""
    failed: str = ""
    """The name of the error, if that is what came of it."""

    @property
    def ran(self) -> Link:
        return self.receipt.ran

    def answer(self) -> Answer:
        """As a message reports it."""
        return Answer(self.ran, self.receipt.link, self.blocks)


def providers(*given: Provider[Any]) -> dict[str, Provider[Any]]:
    """A table of providers by ability. Raises `ValueError` if two provide the same."""
    table = {provider.ability.can: provider for provider in given}
    if len(table) != len(given):
        raise ValueError("two providers for one ability")
    return table


async def run(service: Service, message: Message) -> list[Executed]:
    """Execute all invocations of a message, each once, in no order.

    Raises `MalformedInvocation`, before anything is executed, and `NotReady` if any of them is:
    the others have been executed then, and are found recorded when the message comes again.
    """
    bundle = Bundle(message.blocks, service.remembered)
    invocations = [view(link, bundle) for link in dict.fromkeys(message.execute)]
    if len(invocations) == 1:
        return [await execute(service, invocations[0], bundle)]
    outcomes = await asyncio.gather(
        *[execute(service, invocation, bundle) for invocation in invocations],
        return_exceptions=True,
    )
    not_ready = [outcome for outcome in outcomes if isinstance(outcome, NotReady)]
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, NotReady):
            raise outcome
    if not_ready:
        raise max(not_ready, key=lambda each: each.retry_after_seconds)
    return [outcome for outcome in outcomes if isinstance(outcome, Executed)]


def view(link: Link, bundle: Bundle) -> Delegation:
    """The invocation that `link` names, and that we can answer with all that came with it.

    Raises `MalformedInvocation`.
    """
    try:
        return bundle.view(link)
    except InvalidDelegation as error:
        raise MalformedInvocation(f"can not execute {link}: {error}") from error


async def execute(service: Service, invocation: Delegation, bundle: Bundle) -> Executed:
    """Carry out one invocation, or find out why not.

    `bundle` holds the blocks of its message. Raises `NotReady`, and `MalformedInvocation` if
    more came along with it than can be sent back.
    """
    try:
        company = bundle.export(invocation)
    except InvalidDelegation as error:
        raise MalformedInvocation(f"can not execute {invocation.link}: {error}") from error
    can = invocation.capabilities[0].can if invocation.capabilities else ""
    try:
        outcome = await service.recorded(invocation.link)
        if outcome is None:
            outcome = await _carry_out(service, invocation, bundle, company)
    except (NotReady, Fault) as later:
        service.told(can, "not ready" if isinstance(later, NotReady) else "fault")
        raise
    try:
        executed = _issue(service.signer, invocation.link, outcome, company)
    except (EncodeError, InvalidReceipt) as error:
        service.raised(invocation.link, error)
        executed = _issue(service.signer, invocation.link, _failed(invocation, error), company)
    service.told(can, executed.failed or "ok")
    return executed


async def _carry_out(
    service: Service,
    invocation: Delegation,
    bundle: Bundle,
    company: Mapping[Link, bytes],
) -> Outcome:
    """The outcome, after all checks in their order."""
    if len(invocation.capabilities) != 1:
        return _not_single(invocation)
    capability = invocation.capabilities[0]
    provider = service.providers.get(capability.can)
    if provider is None:
        return _not_found(invocation)
    if invocation.audience != service.authority.did:
        return Error(
            "InvalidAudience",
            f'Expected literal "{service.authority.did}" instead got "{invocation.audience}"',
        )
    revoked = await service.revokers(company.keys(), bundle)
    authorized = authorize(
        invocation,
        provider.ability,
        bundle,
        now=service.clock(),
        authority=service.authority,
        revokers=lambda link: revoked.get(link, ()),
    )
    if isinstance(authorized, Unauthorized):
        return Error(authorized.name, authorized.message)
    async with service.turn(authorized.resource):
        return await _handle(service, provider, invocation, authorized, bundle.blocks)


async def _handle(
    service: Service,
    provider: Provider[Any],
    invocation: Delegation,
    authorized: Authorization[Any],
    blocks: Mapping[Link, bytes],
) -> Outcome:
    request: Invocation[Any] = Invocation(
        invocation.link,
        invocation.issuer,
        authorized.resource,
        authorized.nb,
        invocation,
        authorized.chain,
        blocks,
    )
    try:
        return await provider.handle(request)
    except (NotReady, Fault):
        raise
    except Exception as error:
        service.raised(invocation.link, error)
        return _failed(invocation, error)


def _issue(signer: Signer, ran: Link, outcome: Outcome, company: Mapping[Link, bytes]) -> Executed:
    issued = outcome.receipt if isinstance(outcome, Recorded) else issue(signer, ran, outcome)
    blocks = {**company, **outcome.blocks, issued.link: issued.data}
    failed = "" if isinstance(outcome, Error) else outcome.failed
    return Executed(issued, blocks, failed or error_in(issued))


def error_in(answer: Receipt) -> str:
    """The name of the error that a receipt holds; nothing if it holds none."""
    if answer.is_ok:
        return ""
    match answer.out:
        case {"error": {"name": str(name)}}:
            return name
        case _:
            return "error"


def issue(signer: Signer, ran: Link, outcome: Ok | Error) -> Receipt:
    """The receipt that says how an invocation went."""
    return receipt.issue(signer, ran, _out(outcome), fx_fork=outcome.fork, fx_join=outcome.join)


def _out(outcome: Ok | Error) -> dict[str, object]:
    if isinstance(outcome, Ok):
        return {"ok": outcome.value}
    return {"error": outcome.value}


def _not_single(invocation: Delegation) -> Error:
    return Error(
        "InvocationCapabilityError",
        "Invocation is required to have a single capability.",
        {"error": True, "capabilities": [each.fields for each in invocation.capabilities]},
    )


def _not_found(invocation: Delegation) -> Error:
    can = invocation.capabilities[0].can
    return Error(
        "HandlerNotFound",
        f'service does not implement {{can: "{can}"}} handler',
        {"error": True, "capability": _named(invocation)},
    )


def _failed(invocation: Delegation, error: Exception) -> Error:
    can, cause = invocation.capabilities[0].can, str(error)[:CAUSE_LENGTH_MAX]
    return Error(
        "HandlerExecutionError",
        f'service handler {{can: "{can}"}} error: {cause}',
        {
            "error": True,
            "capability": _named(invocation),
            "cause": {"name": error.__class__.__name__, "message": cause},
        },
    )


def _named(invocation: Delegation) -> dict[str, object]:
    capability = invocation.capabilities[0]
    return {"can": capability.can, "with": capability.resource}
