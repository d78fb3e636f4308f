"""`ucan/revoke`, and the question that every invocation is preceded by: who has revoked this?

Anyone may have a revocation recorded. It counts if its author is issuer or audience of what it
revokes, or of anything upstream in the chain that is used: `ucan.authorize` decides that.

Law: a set of pairs (UCAN, revoker) that only grows. Nobody's revocation hides another's, however
many there are; and while nothing is revoked, asking costs one look into an empty set.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from taijitu.engine.cell import path_text, read_head
from taijitu.engine.engine import Engine
from taijitu.engine.storage import HeadRow
from taijitu.ipld.cid import Link
from taijitu.kernel import receipt as kernel
from taijitu.kernel.machine import State
from taijitu.machines.revocation import Revoke, Revoked, revocation_at
from taijitu.protocols.capabilities import UCAN_REVOKE, UcanRevoke
from taijitu.protocols.durable import Durable
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.names import segment
from taijitu.ucan import bundle
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.delegation import Delegation, InvalidDelegation

REVOKED_MAX: Final = 200_000
"""Revoked UCANs whose links are kept in memory (some 20 MB). With more of them storage is asked
about each UCAN, which costs some microseconds."""

PAGE: Final = 500
"""Revocations that are read at once when they are loaded."""

REVOKERS_AT_ONCE: Final = 64
"""Revokers of one UCAN that are read without asking who they could be."""

LOOKUPS_MAX: Final = 4_096
"""Who could have revoked is looked up one by one where a UCAN has more revokers than that; so often
for one invocation. One that would need more is taken to be revoked."""

NOBODY: Final[Mapping[Link, Collection[str]]] = {}


class Revocations:
    """The one ability, and all that was revoked."""

    def __init__(self, durable: Durable) -> None:
        self.durable = durable
        self.engine: Engine = durable.engine
        self.revoked = Known()
        self.loading = asyncio.Lock()

    def providers(self) -> tuple[Provider[Any], ...]:
        return (Provider(UCAN_REVOKE, self.revoke),)

    async def revoke(self, invocation: Invocation[UcanRevoke]) -> Outcome:
        """Take a UCAN back, in the name of whom the invocation is about."""
        ucan, revoker = invocation.nb.ucan, invocation.resource
        refused = refusal(invocation.nb, invocation.blocks)
        if refused is not None:
            return refused
        self.revoked.add(ucan)
        path = revocation_at(ucan, segment(revoker))
        message = Revoke(self.engine.now(), invocation.link, ucan, revoker)
        return await self.durable.carry_out(invocation, path, message, answer)

    async def revokers(
        self, links: Collection[Link], proofs: Bundle
    ) -> Mapping[Link, Collection[str]]:
        """Who has revoked which of these. Of one that very many have revoked, only those are told
        who could have a say in it, going by the UCANs in `proofs`."""
        if not self.revoked.is_loaded:
            await self._load()
        suspects = self.revoked.among(links)
        if not suspects:
            return NOBODY
        lookups = LOOKUPS_MAX
        found: dict[Link, Collection[str]] = {}
        for link in suspects:
            rows = await self._rows(link)
            if len(rows) < REVOKERS_AT_ONCE:
                found[link] = {each.revoker for each in self._read(rows)}
                continue
            able = principals(link, proofs)
            lookups -= len(able)
            found[link] = able if lookups < 0 else await self._those(able, link)
        return found

    async def recorded(self, ucan: Link) -> Mapping[str, Link]:
        """The first of those who have revoked a UCAN, each with the invocation that did it."""
        rows = await self._rows(ucan)
        return {each.revoker: each.cause for each in self._read(rows)}

    async def _rows(self, ucan: Link) -> Sequence[HeadRow]:
        prefix = f"revocation/{ucan}/"
        return await self.engine.storage.scan(prefix, limit=REVOKERS_AT_ONCE)

    def _read(self, rows: Iterable[HeadRow]) -> Iterator[Revoked]:
        for row in rows:
            state = read_head(self.engine.machines, row)[0].state
            if isinstance(state, Revoked):
                yield state

    async def _those(self, able: Collection[str], ucan: Link) -> set[str]:
        """Which of these principals have revoked a UCAN."""
        head = self.engine.storage.head
        return {
            each
            for each in able
            if await head(path_text(revocation_at(ucan, segment(each)))) is not None
        }

    async def _load(self) -> None:
        """Learn what was revoked before this process began."""
        async with self.loading:
            after = ""
            while not self.revoked.is_loaded:
                rows = await self.engine.storage.scan("revocation/", after=after, limit=PAGE)
                for row in rows:
                    self.revoked.add(Link.parse(row.path.split("/")[1]))
                if len(rows) < PAGE or self.revoked.are_too_many:
                    self.revoked.is_loaded = True
                    return
                after = rows[-1].path
                await asyncio.sleep(0)


class Known:
    """The links of what is revoked, or that they are too many to keep. A link may be here a moment
    before its revocation is true."""

    def __init__(self, size_max: int = REVOKED_MAX) -> None:
        self.size_max = size_max
        self.links: set[Link] = set()
        self.are_too_many = False
        self.is_loaded = False

    def add(self, ucan: Link) -> None:
        if self.are_too_many:
            return
        self.links.add(ucan)
        if len(self.links) > self.size_max:
            self.links.clear()
            self.are_too_many = True

    def among(self, links: Collection[Link]) -> Collection[Link]:
        """Those of `links` that may be revoked."""
        if self.are_too_many:
            return links
        known = self.links
        return [link for link in links if link in known] if known else ()


def refusal(nb: UcanRevoke, blocks: Mapping[Link, bytes]) -> Error | None:
    """Why this cannot be revoked. What is revoked has to come along, and be something that could
    prove anything at all."""
    for role, link in roles(nb):
        if link not in blocks:
            text = f"The {role} UCAN {link} is not found, it MUST be included with the revocation."
            return Error("UCANNotFound", text, {"ucan": {"/": str(link)}})
    try:
        ucan = bundle.read(nb.ucan, blocks[nb.ucan])
    except InvalidDelegation as why:
        return Error("Error", f"{nb.ucan} can not be revoked: {why}")
    if not ucan.canonical:
        text = f"{nb.ucan} is not in canonical form: it proves nothing and needs no revocation"
        return Error("Error", text)
    return None


def roles(nb: UcanRevoke) -> Iterator[tuple[str, Link]]:
    yield "nb.ucan", nb.ucan
    for place, link in enumerate(nb.proof or ()):
        yield f"nb.proof[{place}]", link


def answer(state: State, _: kernel.Receipt) -> Ok | None:
    return Ok({"time": state.at}) if isinstance(state, Revoked) else None


def principals(ucan: Link, proofs: Bundle) -> set[str]:
    """Everyone who could have a say in a UCAN: issuers and audiences of it and its proofs, and of
    their proofs in turn, as far as they came along."""
    found: set[str] = set()
    for each in upstream(ucan, proofs):
        found.add(each.issuer)
        found.add(each.audience)
    return found


def upstream(ucan: Link, proofs: Bundle) -> Iterator[Delegation]:
    waiting, seen = [ucan], {ucan}
    while waiting:
        try:
            found = proofs.view(waiting.pop())
        except InvalidDelegation:
            continue
        yield found
        fresh = set(found.proofs) - seen
        seen |= fresh
        waiting += fresh
