"""`ucan/revoke`, and the question that every invocation is preceded by: who has revoked this?

Anyone may have a revocation recorded. It counts if its author is issuer or audience of what it
revokes, or of anything upstream in the chain that is used: `ucan.authorize` decides that.

The UCANs of a session are made anew each time they are claimed, so a session ends as a whole: who
revokes one of them revokes the request of the login, too, which all of them name in their facts.

Law: a set of pairs (UCAN, revoker) that only grows. Nobody's revocation hides another's, however
many there are; and while nothing is revoked, asking costs one look into an empty set.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from taijitu.engine.cell import path_text, read_head
from taijitu.engine.engine import Engine
from taijitu.engine.storage import HeadRow
from taijitu.ipld.cid import Link
from taijitu.kernel import receipt as kernel
from taijitu.kernel.effect import Path
from taijitu.kernel.machine import State
from taijitu.machines.revocation import Revoke, Revoked, revocation_at
from taijitu.protocols.capabilities import UCAN_REVOKE, UcanRevoke
from taijitu.protocols.durable import Durable
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.names import segment
from taijitu.ucan import bundle, session
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

MARK: Final = session.REQUEST.encode()
"""Stands in the block of every UCAN of a session."""

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
        revoker, ucan = invocation.resource, revocable(invocation.nb, invocation.blocks)
        if isinstance(ucan, Error):
            return ucan
        now, cause = self.engine.now(), invocation.link
        if (request := session.request_in(ucan)) is not None:
            self.revoked.add(request)
            message = Revoke(now, cause, request, revoker)
            await self.engine.transact(self._path(message), message, cause=cause)
        self.revoked.add(ucan.link)
        message = Revoke(now, cause, ucan.link, revoker)
        return await self.durable.carry_out(invocation, self._path(message), message, answer)

    async def revokers(
        self, links: Collection[Link], proofs: Bundle
    ) -> Mapping[Link, Collection[str]]:
        """Who has revoked which of these. Of one that very many have revoked, only those are told
        who could have a say in it, going by the UCANs in `proofs`."""
        if not self.revoked.is_loaded:
            await self._load()
        if not self.revoked.any:
            return NOBODY
        lookups = Lookups(LOOKUPS_MAX)
        found: dict[Link, set[str]] = {}
        for ucan, name in self._suspects(links, proofs):
            found.setdefault(ucan, set()).update(await self._who(ucan, name, proofs, lookups))
        return found

    @property
    def any(self) -> bool:
        """Whether something may be revoked."""
        return self.revoked.any or not self.revoked.is_loaded

    async def is_revoked(self, ucan: Link, proofs: Bundle) -> bool:
        """Whether who had a say in a UCAN has revoked it, going by the UCANs in `proofs`."""
        revokers = (await self.revokers([ucan], proofs)).get(ucan, ())
        return bool(revokers) and not principals(ucan, proofs).isdisjoint(revokers)

    def _suspects(self, links: Collection[Link], proofs: Bundle) -> Iterator[tuple[Link, Link]]:
        """Those of `links` that may be revoked, each with the link under which that is recorded."""
        for link in self.revoked.among(links):
            yield link, link
        for link in links:
            if MARK in proofs.blocks.get(link, b""):
                with suppress(InvalidDelegation):
                    request = session.request_in(proofs.view(link))
                    if request is not None and self.revoked.among([request]):
                        yield link, request

    async def _who(
        self, ucan: Link, name: Link, proofs: Bundle, lookups: "Lookups"
    ) -> Collection[str]:
        """Who has revoked a UCAN, as it is recorded under `name`."""
        rows = await self._rows(name)
        if len(rows) < REVOKERS_AT_ONCE:
            return {each.revoker for each in self._read(rows)}
        able = principals(ucan, proofs)
        return await self._those(able, name) if lookups.afford(len(able)) else able

    def _path(self, message: Revoke) -> Path:
        return revocation_at(message.ucan, segment(message.revoker))

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


class Lookups:
    """So many questions may still be asked."""

    def __init__(self, left: int) -> None:
        self.left = left

    def afford(self, count: int) -> bool:
        self.left -= count
        return self.left >= 0


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

    @property
    def any(self) -> bool:
        return self.are_too_many or bool(self.links)

    def among(self, links: Collection[Link]) -> Collection[Link]:
        """Those of `links` that may be revoked."""
        if self.are_too_many:
            return links
        known = self.links
        return [link for link in links if link in known] if known else ()


def revocable(nb: UcanRevoke, blocks: Mapping[Link, bytes]) -> Delegation | Error:
    """What is to be revoked, or why it cannot be. It has to come along, and be something that could
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
    return ucan


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
