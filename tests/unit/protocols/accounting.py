"""A service in memory that knows accounts: who logs in, what letters go out, what is claimed."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from taijitu.ipld import car
from taijitu.ipld.cid import CAR, Link, link_to
from taijitu.kernel.failures import Fault
from taijitu.kernel.receipt import DONE
from taijitu.kernel.receipt import Receipt as Settled
from taijitu.machines.login import Mail
from taijitu.protocols.access import Access
from taijitu.protocols.blob import Blobs
from taijitu.protocols.limits import RateLimits
from taijitu.protocols.login import LIFETIME_SECONDS, Authorization, Logins
from taijitu.protocols.plan import Accounts, Plans, Policy
from taijitu.protocols.promises import Promises
from taijitu.protocols.provider import Subscriptions
from taijitu.protocols.revocation import Revocations
from taijitu.protocols.settled import Settling
from taijitu.protocols.space import SpaceInfo
from taijitu.protocols.store import Store
from taijitu.protocols.upload import Uploads
from taijitu.testing.clock import VirtualClock
from taijitu.testing.world import SimulatedWorld
from taijitu.ucan import session
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.delegation import Delegation, decode
from taijitu.ucan.issue import delegate
from taijitu.ucan.receipt import Receipt
from taijitu.ucan.session import Login
from taijitu.ucan.signer import Signer
from unit.protocols.serving import NONCES, Serving
from unit.ucan.people import account, alice, ask, cap, now, service, space

SMALL: Final = "did:web:small.example"
"""Another name by which the service provides, with less room."""

ROOM, SMALL_ROOM = 1_000_000, 1_000
"""Bytes."""


class Claimed(NamedTuple):
    """A UCAN that was claimed, and the blocks that came with it."""

    ucan: Delegation
    blocks: Mapping[Link, bytes]


class Account(NamedTuple):
    """The session of an agent: what it needs to act for the account."""

    did: str
    agent: Signer
    proofs: Sequence[Delegation]
    blocks: Mapping[Link, bytes]


class Accounting(Serving):
    """`letters` are those that were delivered: for that, let the world run; `faults` come first.
    What is valid is decided by the clock of the world."""

    def __init__(self, policy: Policy = "open", open_capacity: int | None = None) -> None:
        self.letters: list[Mail] = []
        self.faults: list[Fault] = []
        super().__init__(SimulatedWorld(clock=VirtualClock(now * 1000), deliver=self.deliver))
        self.spaces.open_capacity = open_capacity
        self.limits = self.spaces.limits
        self.logins = Logins(self.engine, service)
        self.accounts = Accounts(self.engine, policy, service.did)
        offers = {service.did: ROOM, SMALL: SMALL_ROOM}
        self.revocations = Revocations(self.durable)
        self.begin(
            Authorization(self.durable, self.limits),
            Access(self.durable, self.spaces, self.revocations),
            self.revocations,
            Subscriptions(self.durable, self.spaces, self.accounts, offers=offers),
            Plans(self.durable, self.accounts),
            RateLimits(self.durable, self.limits, service.did),
            Store(self.durable, self.spaces, ROOM),
            Blobs(self.durable, self.spaces, Settling(Promises(service), str), ROOM),
            Uploads(self.durable, self.spaces),
            SpaceInfo(self.spaces, service.did),
        )
        self.service = replace(self.service, revokers=self.revocations.revokers)

    async def deliver(self, mail: Mail) -> Settled:
        if self.faults:
            raise self.faults.pop()
        self.letters.append(mail)
        return DONE

    def seconds(self) -> int:
        return self.engine.now() // 1000

    def asks(
        self,
        agent: Signer,
        can: str,
        resource: str,
        proofs: Sequence[Delegation] = (),
        **nb: Any,
    ) -> Delegation:
        """An invocation that was never sent before, valid for half a minute."""
        nonce, until = str(next(NONCES)), self.seconds() + 30
        return ask(agent, cap(can, resource, **nb), proofs, nonce=nonce, expiration=until)

    async def authorize(
        self, agent: Signer = alice, who: str = account, att: Sequence[str] = ("*",)
    ) -> tuple[Delegation, Receipt]:
        """Ask for a login; the invocation, and the receipt."""
        asked = self.asks(
            agent, "access/authorize", agent.did, iss=who, att=[{"can": can} for can in att]
        )
        return asked, await self.send(asked)

    def letter(
        self,
        request: Delegation,
        agent: Signer = alice,
        who: str = account,
        att: Sequence[str] = ("*",),
        *,
        by: Signer = service,
    ) -> Delegation:
        """The secret in the letter about a login that was asked for just now."""
        until = self.seconds() + LIFETIME_SECONDS
        return session.confirmation(by, Login(request.link, who, agent.did, tuple(att), until))

    def letter_of(self, mail: Mail) -> Delegation:
        """The secret in a letter that was delivered."""
        login = Login(mail.request, mail.account, mail.agent, mail.att, mail.expires // 1000)
        return session.confirmation(service, login)

    async def log_in(
        self, agent: Signer = alice, who: str = account, att: Sequence[str] = ("*",)
    ) -> Account:
        """Ask, say yes, and claim."""
        asked, receipt = await self.authorize(agent, who, att)
        assert receipt.is_ok, receipt.out
        assert (await self.send(self.letter(asked, agent, who, att))).is_ok
        return await self.session(agent, who)

    async def session(self, agent: Signer, who: str = account) -> Account:
        """All that an agent can claim of an account, as it is now."""
        claimed = await self.claim(agent)
        issuers = {who, service.did}
        proofs = [each.ucan for each in claimed if each.ucan.issuer in issuers]
        blocks = {link: data for each in claimed for link, data in each.blocks.items()}
        return Account(who, agent, proofs, blocks)

    async def claim(self, agent: Signer) -> list[Claimed]:
        receipt = await self.send(self.asks(agent, "access/claim", agent.did))
        assert receipt.is_ok, receipt.out
        return claimed(receipt.out["ok"])

    async def act(self, who: Account, can: str, resource: str | None = None, **nb: Any) -> Any:
        """What is said to an agent that acts for an account (over the account itself, unless said
        otherwise): `ok` or `error`."""
        asked = self.asks(who.agent, can, resource or who.did, who.proofs, **nb)
        return (await self.send(asked, company=who.blocks)).out

    async def revoke(self, by: Signer, ucan: Delegation, *proofs: Delegation) -> None:
        """Take a UCAN back, as its issuer or its audience."""
        asked = self.asks(by, "ucan/revoke", by.did, [ucan], ucan=ucan.link)
        assert (await self.send(asked, ucan, *proofs)).is_ok

    async def delegate(self, space: Signer, *delegations: Delegation) -> Any:
        """Leave delegations here, as a space."""
        nb = {str(number): each.link for number, each in enumerate(delegations)}
        asked = self.asks(space, "access/delegate", space.did, delegations, delegations=nb)
        return (await self.send(asked, *delegations)).out


def claimed(ok: Mapping[str, Any]) -> list[Claimed]:
    """What `access/claim` and `access/confirm` answer with, each archive with one root."""
    found: list[Claimed] = []
    for name, archive in ok["delegations"].items():
        read = car.decode(archive)
        (root,) = read.roots
        assert str(root) == name
        found.append(Claimed(decode(root, read.blocks[root]), read.blocks))
    return found


def proofs_in(one: Claimed) -> list[Link]:
    """The proofs of a UCAN that was claimed; all of them have to have come along, whole."""
    return [Bundle(one.blocks).view(link).link for link in one.ucan.proofs]


def links(found: list[Claimed]) -> set[object]:
    return {each.ucan.link for each in found}


def to_account(owner: Signer = space, who: str = account, **more: Any) -> Delegation:
    """Everything a space has, for an account."""
    more.setdefault("expiration", None)
    return delegate(owner, who, [cap("*", owner.did)], **more)


async def stores(serving: Accounting, session: Account, where: Signer = space) -> Any:
    """What is said to who acts for an account and wants to store something in a space."""
    link = link_to(where.did.encode(), CAR)
    return await serving.act(session, "store/add", where.did, link=link, size=5)
