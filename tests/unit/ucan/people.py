"""Who the tests are about, and the few words they say to each other."""

from collections.abc import Iterable
from typing import Any

from support import vectors
from taijitu.ipld import car
from taijitu.ipld.cid import CAR, RAW, Link, link_to
from taijitu.protocols.capabilities import ALL
from taijitu.ucan.authorize import Authorization, Revokers, Unauthorized, authorize, nobody
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import delegate
from taijitu.ucan.remembered import Remembered
from taijitu.ucan.signer import Signer
from taijitu.ucan.validity import Authority


def signer(name: str) -> Signer:
    return Signer.from_seed(bytes.fromhex(vectors.principals[name]["seed"]))


space, alice, bob, carol, mallory = (
    signer(name) for name in ("space", "alice", "bob", "carol", "mallory")
)
service = signer("service").under("did:web:service.example")
account = "did:mailto:example.com:alice"
authority = Authority(service.did, service.key_did)

now: int = vectors.now
later, earlier = now + 60, now - 60

car_link = link_to(b"some car", CAR)
other_car_link = link_to(b"some other car", CAR)
raw_link = link_to(b"some bytes", RAW)


def cap(can: str, resource: str = space.did, **nb: Any) -> dict[str, object]:
    """A capability over the space, unless said otherwise."""
    capability: dict[str, object] = {"can": can, "with": resource}
    return capability | {"nb": nb} if nb else capability


def store_add(size: int = 100, link: Link = car_link) -> dict[str, object]:
    return cap("store/add", link=link, size=size)


def grant(
    issuer: Signer,
    audience: Signer,
    *capabilities: dict[str, object],
    proofs: Iterable[Delegation] = (),
    **more: Any,
) -> Delegation:
    """A delegation that never ends, unless said otherwise."""
    more.setdefault("expiration", None)
    return delegate(
        issuer, audience.did, capabilities, proofs=[proof.link for proof in proofs], **more
    )


def ask(
    issuer: Signer,
    capability: dict[str, object] | None = None,
    proofs: Iterable[Delegation] = (),
    **more: Any,
) -> Delegation:
    """An invocation of the service."""
    more.setdefault("expiration", later)
    return grant(issuer, service, capability or store_add(), proofs=proofs, **more)


def bundle(*delegations: Delegation, remembered: Remembered | None = None) -> Bundle:
    return Bundle({each.link: each.data for each in delegations}, remembered)


def judge(
    invocation: Delegation,
    *proofs: Delegation,
    now: int = now,
    revokers: Revokers = nobody,
    authority: Authority = authority,
    remembered: Remembered | None = None,
) -> Authorization[Any] | Unauthorized:
    """What the service says to an invocation that comes with these proofs."""
    ability = ALL[invocation.capabilities[0].can]
    blocks = bundle(*proofs, remembered=remembered)
    return authorize(invocation, ability, blocks, now=now, authority=authority, revokers=revokers)


def is_allowed(invocation: Delegation, *proofs: Delegation, **more: Any) -> bool:
    return isinstance(judge(invocation, *proofs, **more), Authorization)


def refusal(invocation: Delegation, *proofs: Delegation, **more: Any) -> str:
    """Why it is refused. Fails if it is not."""
    verdict = judge(invocation, *proofs, **more)
    assert isinstance(verdict, Unauthorized)
    return verdict.message


def read_car(file: str) -> car.Car:
    return car.decode(vectors.car(file))
