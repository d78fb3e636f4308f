"""`/testing/*`: what the tests of others read from a service's memory, asked of ours over HTTP.

It exists only with `TAIJITU_TESTING=1`, and only looks: nothing here changes what the service
keeps. Answers are DAG-JSON results, `{"ok": …}` or `{"error": {name, message}}`, with status 200;
a question that makes no sense gets status 400 and a sentence.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from taijitu.buckets.names import UnknownHash, digest_of
from taijitu.ipld import dagjson, multibase
from taijitu.ipld.cid import CAR, InvalidLink, Link, link_with
from taijitu.kernel.machine import State
from taijitu.machines.entry import Stored, entry_at
from taijitu.machines.index import Known
from taijitu.protocols.entries import held, name_of
from taijitu.protocols.execution import Error, Invocation, Ok, Provider
from taijitu.protocols.index import Indexes
from taijitu.protocols.inspect import Inspection
from taijitu.protocols.revocation import Revocations
from taijitu.server.app import TESTING
from taijitu.server.http import HttpAnswer, Request, sentence
from taijitu.server.installation import Installation
from taijitu.server.overheard import Overheard
from taijitu.server.post import Outbox
from taijitu.server.question import BadQuestion, Question
from taijitu.server.rpc import Rpc
from taijitu.ucan import principal
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.delegation import InvalidDelegation
from taijitu.ucan.failure import told
from taijitu.ucan.issue import delegate
from taijitu.ucan.schema import INTEGER_MAX, Mismatch
from taijitu.wire import message
from taijitu.wire.exchange import CONTENT_TYPE

DAG_JSON: Final = "application/vnd.ipld.dag-json"

READING: Final = frozenset(
    {
        "store/get",
        "store/list",
        "upload/get",
        "upload/list",
        "space/blob/get/0/1",
        "space/blob/list",
    }
)
"""Abilities that change nothing."""

UCANS_MAX: Final = 100
"""UCANs about whose revokers one request may ask."""

INDEXES_MAX: Final = 100
"""Indexes of some content that one answer names."""

MAIL_SECONDS_MAX: Final = 30.0
"""How long a request may wait for a letter."""

Ask = Callable[[Question], Awaitable[HttpAnswer]]


class Questions:
    """What can be asked. `overheard` is to hear every message that comes in."""

    def __init__(self, installation: Installation, rpc: Rpc, outbox: Outbox) -> None:
        self.installation = installation
        self.engine = installation.engine
        self.providers: Mapping[str, Provider[Any]] = rpc.service.providers
        self.indexes = Indexes(rpc.durable)
        self.inspection = Inspection(self.engine, installation.spaces, installation.signer.did)
        self.revocations = Revocations(rpc.durable)
        self.outbox = outbox
        self.overheard = Overheard()
        self.places: Mapping[str, Ask] = {
            "read": self.read,
            "revocations": self.revoked,
            "upload-url": self.upload_url,
        }
        self.things: Mapping[str, Ask] = {
            "task": self.task,
            "claims": self.claims,
            "slices": self.slices,
            "location": self.location,
            "mail": self.mail,
        }

    async def answer(self, request: Request) -> HttpAnswer:
        """`/testing/{place}`, or `/testing/{kind}/{thing}`."""
        kind, slash, thing = request.path.removeprefix(TESTING).partition("/")
        ask = (self.things if slash else self.places).get(kind)
        if ask is None:
            known = ", ".join([*self.places, *(f"{each}/…" for each in self.things)])
            return sentence(404, f"There is no such question. There are, at {TESTING}: {known}.")
        try:
            return await ask(Question(thing, request.query))
        except BadQuestion as why:
            return sentence(400, f"{why}.")

    async def read(self, asked: Question) -> HttpAnswer:
        """`?can=&with=&nb=`: what a capability that reads answers to who may ask."""
        can = asked.one("can")
        provider = self.providers.get(can) if can in READING else None
        if provider is None:
            known = ", ".join(sorted(READING))
            return sentence(404, f"{can[:80]} is nothing that can be read here: {known} are.")
        outcome = await provider.handle(self.permitted(provider, asked))
        match outcome:
            case Ok(value):
                return result(value)
            case Error(name, text):
                return failed(name, text)
            case _:
                raise TypeError(f"{can} answers with a receipt: it does not only read")

    def permitted(self, provider: Provider[Any], asked: Question) -> Invocation[Any]:
        """An invocation by the service, which nobody has authorised."""
        ability, us = provider.ability, self.installation.signer
        try:
            resource = ability.resource(asked.one("with"))
            principal.from_did(resource)
            nb = ability.nb.read(asked.value("nb", {}))
            capability = {"can": ability.can, "with": resource, "nb": nb}
            made = delegate(us, us.did, [capability], expiration=None)
        except Mismatch as why:
            raise BadQuestion(told(why.failure)) from None
        except principal.InvalidDid as why:
            raise BadQuestion(f"`with` is no DID: {why}") from None
        caveats, blocks = ability.nb.build(nb), {made.link: made.data}
        return Invocation(made.link, us.did, resource, caveats, made, (made,), blocks)

    async def task(self, asked: Question) -> HttpAnswer:
        """`/{link}`: an invocation that was received since the start, or a task that was promised,
        with the blocks that came along, as a message that asks to execute it."""
        link = asked.link(asked.thing)
        blocks = self.overheard.blocks(link) or await self.promised(link)
        if blocks is None:
            return sentence(404, f"Nobody has asked for {link}, and nobody has promised it.")
        body = message.encode(execute=[link], blocks=blocks)
        return HttpAnswer(200, {"content-type": CONTENT_TYPE}, body)

    async def promised(self, link: Link) -> Mapping[Link, bytes] | None:
        block = await self.engine.storage.block(link.data)
        if block is None:
            return None
        bundle = Bundle({link: block})
        try:
            return bundle.export(bundle.view(link))
        except InvalidDelegation:
            return None

    async def revoked(self, asked: Question) -> HttpAnswer:
        """`?ucan=&ucan=…`: who has revoked which of these, and by which invocation."""
        links = [asked.link(text) for text in asked.all("ucan")]
        if not 0 < len(links) <= UCANS_MAX:
            raise BadQuestion(f"1 to {UCANS_MAX} UCANs are asked about, each as `ucan`")
        found = {str(link): await self.revocations.recorded(link) for link in links}
        return result(
            {
                ucan: {revoker: {"cause": cause} for revoker, cause in revokers.items()}
                for ucan, revokers in found.items()
                if revokers
            }
        )

    async def claims(self, asked: Question) -> HttpAnswer:
        """`/{multihash}`: the commitments that these bytes are here, and what indexes them."""
        multihash = digest(asked)
        claims: list[Mapping[str, object]] = [
            {"type": "assert/index", "content": each.content, "index": link_of(each)}
            for each in await self.of(multihash)
        ]
        if await self.is_committed(multihash):
            url = self.installation.settling.location(multihash)
            claims.append({"type": "assert/location", "location": [url]})
        return result(claims)

    async def is_committed(self, multihash: bytes) -> bool:
        """Whether some space was promised a site for these bytes, and has it."""
        name = name_of(multihash)
        found = self.inspection.holders(lambda space: entry_at(space, name), committed_since)
        return bool(await found)

    async def slices(self, asked: Question) -> HttpAnswer:
        """`/{multihash}`: where an index that was accepted says that these bytes lie; for what is
        indexed as a whole, the shard itself or the index."""
        multihash, storage = digest(asked), self.engine.storage
        for row in await storage.slices(multihash, 1):
            where = {"shard": name_of(row.shard), "offset": row.offset, "length": row.length}
            return result(where)
        if await storage.slices_in(multihash, limit=1):
            return result({"shard": name_of(multihash)})
        for index in await self.of(multihash):
            return result({"index": link_of(index)})
        return failed("NotFound", f"no index names {asked.thing}")

    async def of(self, multihash: bytes) -> list[Known]:
        return await self.indexes.of(link_with(multihash), INDEXES_MAX)

    async def location(self, asked: Question) -> HttpAnswer:
        """`/{multihash}`: the URL at which these bytes are served, once they are here."""
        return result(self.installation.settling.location(object_digest(digest(asked))))

    async def upload_url(self, asked: Question) -> HttpAnswer:
        """`?link=&size=`: leave to put the bytes of a CAR that nobody has asked to store."""
        link = asked.link(asked.one("link"))
        if link.codec != CAR:
            raise BadQuestion(f"{link} is not the link of a CAR")
        size = asked.natural("size", INTEGER_MAX)
        presigner, now = self.installation.bucket.presigner, self.installation.clock.now()
        upload = presigner.put(object_digest(link.multihash), size, now)
        return result({"url": upload.url, "headers": upload.headers})

    async def mail(self, asked: Question) -> HttpAnswer:
        """`/{number}?seconds=`: a letter, the first being number 0; waits for it so long."""
        number = asked.number(asked.thing)
        seconds = asked.natural("seconds", int(MAIL_SECONDS_MAX), 0)
        letter = await self.outbox.letter(number, seconds)
        if letter is None:
            return failed("NotFound", f"there is no letter {number}")
        return result({"to": letter.to, "url": letter.url})


def committed_since(state: State) -> int | None:
    """Since when an entry has a site that was promised for it (ms since 1970), if it has one."""
    if not isinstance(state, Stored):
        return None
    found = held(state, "blob")
    return None if found is None else found[0].since


def digest(asked: Question) -> bytes:
    """The multihash that is asked about, in base58btc."""
    try:
        multihash = multibase.decode(asked.thing)
        link_with(multihash)
    except (multibase.MultibaseError, InvalidLink) as why:
        raise BadQuestion(f"{asked.thing[:80]!r} is not a multihash in base58btc: {why}") from None
    if name_of(multihash) != asked.thing:
        raise BadQuestion(f"{asked.thing[:80]!r} is not a multihash in base58btc")
    return multihash


def object_digest(multihash: bytes) -> bytes:
    """A multihash by which bytes can be stored here."""
    try:
        digest_of(multihash)
    except UnknownHash as why:
        raise BadQuestion(str(why)) from None
    return multihash


def link_of(index: Known) -> Link:
    return link_with(multibase.decode(index.multihash), CAR)


def result(value: object) -> HttpAnswer:
    return HttpAnswer(200, {"content-type": DAG_JSON}, dagjson.encode({"ok": value}))


def failed(name: str, text: str) -> HttpAnswer:
    error = {"error": {"name": name, "message": text}}
    return HttpAnswer(200, {"content-type": DAG_JSON}, dagjson.encode(error))
