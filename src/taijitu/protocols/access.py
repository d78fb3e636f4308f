"""`access/delegate` and `access/claim`: UCANs are left here for somebody, who comes and gets them.

Sessions are claimed too. They are made anew each time, with what the account was delegated until
then as proofs: so a device that logged in long ago learns of a space that was made on another.

Law: what is claimed goes to its audience; the service attests what was confirmed, nothing else; and
what was revoked is not given away again, in whatever form.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from taijitu.engine.cell import read_head
from taijitu.engine.engine import Engine
from taijitu.ipld.cid import Link
from taijitu.kernel import receipt as kernel
from taijitu.kernel.machine import State
from taijitu.machines.delegation import Hold, delegation_at, list_from
from taijitu.machines.login import Confirmed, sessions_of
from taijitu.protocols.capabilities import ACCESS_CLAIM, ACCESS_DELEGATE, AccessDelegate
from taijitu.protocols.durable import Durable
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.held import Kept, Room, Shelves, as_left, fitting, hearsay, proving
from taijitu.protocols.login import session_of
from taijitu.protocols.names import segment
from taijitu.protocols.revocation import Revocations
from taijitu.protocols.spaces import Spaces
from taijitu.ucan import session
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.delegation import Delegation, InvalidDelegation
from taijitu.ucan.principal import is_key
from taijitu.ucan.session import Pair

DELEGATIONS_MAX: Final = 64
"""Delegations that one invocation leaves here."""

ARCHIVE_SIZE_MAX: Final = 256 * 1024
"""Bytes of one delegation with all that travels with it."""

FROM_SPACE_MAX: Final = 100
"""Delegations that one space leaves here for one audience and that are not over."""

FROM_SPACE_SIZE_MAX: Final = (FROM_SPACE_MAX + DELEGATIONS_MAX) * ARCHIVE_SIZE_MAX
"""Bytes that those can have, at most."""

HELD: Final = Room(400, 768 * 1024, blocks=0)
"""Delegations that are claimed at once, and their bytes: they are given as they were left."""

HEARSAY: Final = Room(32, 128 * 1024, blocks=100)
"""And of those that are about another space than the one that left them, with their proofs: no more
than an invocation can bear."""

SESSIONS_MAX, SESSIONS_SIZE_MAX = 32, 768 * 1024
"""Sessions that are claimed at once, the newest first, and their bytes."""

PROOFS: Final = Room(110, 256 * 1024, blocks=250)
"""Delegations to an account that its sessions prove, their bytes, and their blocks with proofs. One
invocation can have several times as many (`authorize.UCANS_MAX`, `bundle.EXPORT_BLOCKS_MAX`): an
agent may have several accounts, and of what one account shares with another both have proofs."""


class Access:
    """The two abilities."""

    def __init__(self, durable: Durable, spaces: Spaces, revocations: Revocations) -> None:
        self.durable = durable
        self.engine: Engine = durable.engine
        self.signer = durable.signer
        self.spaces = spaces
        self.revocations = revocations
        self.shelves = Shelves(durable.engine)

    def providers(self) -> tuple[Provider[Any], ...]:
        return Provider(ACCESS_DELEGATE, self.delegate), Provider(ACCESS_CLAIM, self.claim)

    async def delegate(self, invocation: Invocation[AccessDelegate]) -> Outcome:
        """Keep delegations for their audiences. All of them came along, among the proofs."""
        space = invocation.resource
        links = tuple(dict.fromkeys(invocation.nb.delegations.values()))
        found = included(invocation, links)
        if self.for_us(found) and not await self.spaces.serves(space):
            # A gateway is asked, and that is us: whoever knows a link may read here anyway.
            return Ok({})
        if (refused := await self.spaces.admit(space)) is not None:
            return refused
        if isinstance(found, Error):
            return found
        if not found:
            return Ok({})
        archives = [archived(each, invocation.blocks) for each in found]
        for archive in archives:
            if isinstance(archive, Error):
                return archive
        if (refused := await self.too_many(space, found)) is not None:
            return refused
        held = [
            Hold(
                self.engine.now(),
                invocation.link,
                each.audience,
                space,
                each.link,
                archive,
                each.expiration,
            )
            for each, archive in zip(found, archives, strict=True)
            if isinstance(archive, bytes)
        ]
        return await self.hold(invocation, held)

    async def hold(self, invocation: Invocation[AccessDelegate], held: Sequence[Hold]) -> Outcome:
        """Each is kept by a commit of its own, the last one together with the receipt: whoever
        gets no answer asks again, and finds those that are kept already."""
        *before, last = held
        transact = self.engine.transact
        await asyncio.gather(
            *[transact(path_of(each), each, cause=invocation.link) for each in before]
        )

        def answer(_state: State, _reply: kernel.Receipt) -> Ok:
            return Ok({})

        return await self.durable.carry_out(invocation, path_of(last), last, answer)

    async def too_many(self, space: str, found: Sequence[Delegation]) -> Error | None:
        """The refusal for a space that would leave somebody more than it may."""
        for audience in {each.audience for each in found}:
            name = list_from(space, audience)
            here = await self.shelves.listed(name, size_max=FROM_SPACE_SIZE_MAX)
            links = {each.ucan for each in here.held}
            links |= {each.link for each in found if each.audience == audience}
            if len(links) > FROM_SPACE_MAX:
                why = f"{space} leaves {audience} more than {FROM_SPACE_MAX} delegations"
                return Error("TooManyDelegations", why)
        return None

    def for_us(self, found: Sequence[Delegation] | Error) -> bool:
        """Whether there are some, and all for the service itself."""
        if isinstance(found, Error) or not found:
            return False
        return all(each.audience == self.signer.did for each in found)

    async def claim(self, invocation: Invocation[Any]) -> Outcome:
        """Everything that is here for the audience."""
        audience = invocation.resource
        await self.engine.settled()
        kept = await self.valid_for(audience)
        said = [each for each in kept if each.of_itself]
        others = hearsay(each for each in kept if not each.of_itself)
        given = (*fitting(map(as_left, said), HELD), *fitting(others, HEARSAY))
        delegations = {str(each.held.ucan): each.held.archive for each in given}
        if is_key(audience):
            delegations |= await self.sessions_of(audience)
        return Ok({"delegations": delegations})

    async def sessions_of(self, agent: str) -> dict[str, bytes]:
        """The pairs of an agent's sessions, made now."""
        rows = await self.engine.storage.listing(sessions_of(agent), limit=SESSIONS_MAX)
        proofs: dict[str, Mapping[Link, Mapping[Link, bytes]]] = {}
        made: dict[str, bytes] = {}
        room = SESSIONS_SIZE_MAX
        for _, row in rows:
            login = read_head(self.engine.machines, row)[0].state
            if not isinstance(login, Confirmed):
                continue
            if login.account not in proofs:
                proofs[login.account] = await self.proofs_for(login.account)
            pair = session.pair(self.signer, session_of(login), tuple(proofs[login.account]))
            if await self.is_over(pair):
                continue
            archives = dict(archived_pair(pair, proofs[login.account].values()))
            room -= sum(map(len, archives.values()))
            if room < 0 and made:
                break
            made |= archives
        return made

    async def is_over(self, pair: Pair) -> bool:
        """Whether a session was revoked."""
        bundle = Bundle({each.link: each.data for each in pair})
        return any([await self.revocations.is_revoked(each.link, bundle) for each in pair])

    async def valid_for(self, audience: str) -> Sequence[Kept]:
        """What is kept for somebody, and nobody has revoked: what counts most first."""
        kept = await self.shelves.kept_for(audience)
        if not self.revocations.any:
            return kept
        revoked = self.revocations.is_revoked
        return [each for each in kept if not await revoked(each.held.ucan, each.bundle)]

    async def proofs_for(self, account: str) -> Mapping[Link, Mapping[Link, bytes]]:
        """What an account was delegated, with the blocks of each; what counts most first, because
        whoever looks for a chain of proofs looks in that order."""
        kept = await self.valid_for(account)
        return {each.held.ucan: each.blocks for each in fitting(map(proving, kept), PROOFS)}


def archived_pair(
    pair: Pair, proofs: Iterable[Mapping[Link, bytes]]
) -> Iterator[tuple[str, bytes]]:
    """The UCANs of a session as they are given away, by their links."""
    company = {link: block for blocks in proofs for link, block in blocks.items()}
    yield str(pair.delegation.link), session.packed(pair.delegation, company.items())
    yield str(pair.attestation.link), session.packed(pair.attestation)


def path_of(message: Hold) -> tuple[str, ...]:
    return delegation_at(segment(message.audience), message.ucan)


def included(
    invocation: Invocation[AccessDelegate], links: Sequence[Link]
) -> tuple[Delegation, ...] | Error:
    """The delegations that these links name, if all of them are proofs that came along."""
    if len(links) > DELEGATIONS_MAX:
        return Error("Error", f"at most {DELEGATIONS_MAX} delegations are left here at once")
    proofs, bundle = set(invocation.delegation.proofs), Bundle(invocation.blocks)
    found: list[Delegation] = []
    for link in links:
        if link not in proofs or link not in invocation.blocks:
            return Error("DelegationNotFound", f"missing proof for delegation cid {link}")
        try:
            found.append(bundle.view(link))
        except InvalidDelegation as why:
            return Error("DelegationNotFound", f"{link} is not a delegation: {why}")
    return tuple(found)


def archived(delegation: Delegation, blocks: Mapping[Link, bytes]) -> bytes | Error:
    """A delegation and what must travel with it, in one CAR."""
    try:
        archive = session.packed(delegation, Bundle(blocks).export(delegation).items())
    except InvalidDelegation as why:
        return Error("Error", f"{delegation.link} can not be kept: {why}")
    if len(archive) > ARCHIVE_SIZE_MAX:
        why = f"{delegation.link} has {len(archive)} bytes: {ARCHIVE_SIZE_MAX} at most are kept"
        return Error("Error", why)
    return archive
