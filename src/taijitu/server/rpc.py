"""`POST /` and `GET /receipt/{task}`: agent messages in, receipts out.

bytes ──> wire.exchange ──> protocols.execution ──> one transaction each ──> bytes
"""

from collections.abc import Callable, Mapping

from taijitu import __version__
from taijitu.engine.clock import wall_ms
from taijitu.ipld.cid import InvalidLink, Link
from taijitu.protocols import execution
from taijitu.protocols.access import Access
from taijitu.protocols.blob import Blobs
from taijitu.protocols.conclude import Conclusions
from taijitu.protocols.console import Console
from taijitu.protocols.durable import Durable
from taijitu.protocols.egress import Egress
from taijitu.protocols.execution import Executed, MalformedInvocation, NotReady, Service
from taijitu.protocols.fairness import Turns
from taijitu.protocols.filecoin import Filecoin
from taijitu.protocols.index import Indexes
from taijitu.protocols.inspect import Inspection
from taijitu.protocols.limits import RateLimits
from taijitu.protocols.login import Authorization
from taijitu.protocols.plan import Plans
from taijitu.protocols.provider import Subscriptions
from taijitu.protocols.revocation import Revocations
from taijitu.protocols.serviced import Serviced
from taijitu.protocols.space import SpaceInfo
from taijitu.protocols.store import Store
from taijitu.protocols.upload import Uploads
from taijitu.protocols.usage import Reports
from taijitu.server import logs
from taijitu.server.about import About
from taijitu.server.http import HttpAnswer, sentence
from taijitu.server.installation import Installation
from taijitu.server.logs import log
from taijitu.ucan.delegation import decode
from taijitu.ucan.remembered import Remembered
from taijitu.ucan.validity import Authority
from taijitu.wire import exchange
from taijitu.wire.exchange import Answer, Refusal


class Rpc:
    """The protocols of an installation, as HTTP sees them. `told`: see `Service`."""

    def __init__(self, installation: Installation, told: Callable[[str, str], None]) -> None:
        self.durable = Durable(installation.engine, installation.signer)
        self.service = service(installation, self.durable, told)

    async def message(
        self, content_type: str | None, accept: str | None, body: bytes
    ) -> HttpAnswer:
        """Answer an agent message: 200 with receipts, whatever they say."""
        asked = exchange.accept(content_type, accept, body)
        if isinstance(asked, Refusal):
            return HttpAnswer(asked.status, asked.headers, asked.text.encode())
        try:
            executed = await execution.run(self.service, asked)
        except MalformedInvocation as why:
            return sentence(400, f"{exchange.MALFORMED_TEXT}{why}")
        except NotReady as why:
            retry = {"retry-after": str(why.retry_after_seconds)}
            return sentence(503, why.why, retry)
        for each in executed:
            if each.failed:
                note_refusal(each)
        headers, answer = exchange.answer(each.answer() for each in executed)
        return HttpAnswer(200, headers, answer)

    async def receipt(self, task: str) -> HttpAnswer:
        """The recorded receipt of a task, as an agent message."""
        try:
            link = Link.parse(task)
        except InvalidLink as why:
            return sentence(404, f"There is no such task: {why}")
        recorded = await self.durable.recorded(link)
        if recorded is None:
            return sentence(404, "There is no receipt for that task, or not yet.")
        issued = recorded.receipt
        blocks = {**recorded.blocks, issued.link: issued.data}
        headers, body = exchange.answer([Answer(link, issued.link, blocks)])
        return HttpAnswer(200, headers, body)


def service(
    installation: Installation, durable: Durable, told: Callable[[str, str], None]
) -> Service:
    """Who answers for what."""
    signer, spaces, accounts = installation.signer, installation.spaces, installation.accounts
    size_max = installation.config.blob_size_max
    revocations = Revocations(durable)
    families = (
        Store(durable, spaces, size_max),
        Blobs(durable, spaces, installation.settling, size_max),
        Serviced(durable, spaces, installation.settling, size_max, installation.hint),
        Conclusions(installation.engine, installation.hint),
        Uploads(durable, spaces),
        Indexes(durable),
        Filecoin(durable),
        Authorization(durable, spaces.limits),
        Access(durable, spaces, revocations),
        revocations,
        Subscriptions(durable, spaces, accounts, offers=dict(installation.config.providers)),
        Plans(durable, accounts),
        RateLimits(durable, spaces.limits, signer.did),
        SpaceInfo(spaces, signer.did),
        Reports(installation.engine, signer.did),
        Egress(durable, spaces),
        Inspection(installation.engine, spaces, signer.did),
        Console(),
    )
    return Service(
        signer=signer,
        authority=Authority(signer.did, signer.key_did, installation.past_keys),
        providers=execution.providers(
            *(each for family in families for each in family.providers())
        ),
        # When something is valid is said in the time of others: what the machine's clock shows now.
        clock=lambda: wall_ms() // 1000,
        revokers=revocations.revokers,
        recorded=durable.recorded,
        remembered=Remembered(),
        turn=Turns().one,
        raised=raised,
        told=told,
    )


def note_refusal(executed: Executed) -> None:
    """The line of an invocation that was refused: who wanted what, and why not."""
    error: Mapping[str, object] = executed.receipt.out.get("error", {})
    invocation = decode(executed.ran, executed.blocks[executed.ran])
    capability = next(iter(invocation.capabilities), None)
    log.info(
        "refused",
        request=logs.REQUEST.get(),
        invocation=str(executed.ran),
        agent=invocation.issuer,
        can=capability and capability.can,
        space=capability and capability.resource,
        error=error.get("name", executed.failed),
        why=str(error.get("message", "what follows from it has failed"))[: logs.WHY_CHARS_MAX],
    )


def raised(invocation: Link, why: Exception) -> None:
    log.error(
        "a handler failed", request=logs.REQUEST.get(), invocation=str(invocation), exc_info=why
    )


def about(installation: Installation) -> About:
    signer, url = installation.signer, installation.config.public_url
    return About(signer.did, signer.key_did, __version__, url, installation.past_keys)
