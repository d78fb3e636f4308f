"""Sessions: an account has no key, so what it lets an agent do is attested by the service.

    confirmation   by the service, to itself: whoever sends it back says yes for the account
    pair           by the account, to the agent, without a signature; and beside it the service's
                   word (`ucan/attest`) that the account has said so

Law: the same login makes the same confirmation, and with the same proofs the same pair.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from taijitu.ipld import car
from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.ucan.capability import ANY_RESOURCE
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import absent, delegate
from taijitu.ucan.signer import Signer

CONFIRM = "access/confirm"
ATTEST = "ucan/attest"
REQUEST = "access/request"
"""The fact that tells of which login a UCAN is part."""


class Login(Record):
    """`agent` asked, by the invocation `request`, for the abilities `att` over all that `account`
    has. That can be confirmed until `expires` (seconds since 1970)."""

    request: Link
    account: str
    agent: str
    att: tuple[str, ...]
    expires: int


class Session(Record):
    """A login that was confirmed, by the UCAN `confirmation`."""

    request: Link
    account: str
    agent: str
    att: tuple[str, ...]
    confirmation: Link


class Pair(NamedTuple):
    """What an agent needs to act for an account; both stand among the proofs of what it asks."""

    delegation: Delegation
    attestation: Delegation


def confirmation(service: Signer, login: Login) -> Delegation:
    """The invocation that confirms a login. Secret: whoever has it can. Raises `InvalidDelegation`
    for abilities that are none."""
    nb = {
        "iss": login.account,
        "aud": login.agent,
        "att": [{"can": can} for can in login.att],
        "cause": login.request,
    }
    capability = {"can": CONFIRM, "with": service.did, "nb": nb}
    return delegate(service, service.did, [capability], expiration=login.expires)


def pair(service: Signer, session: Session, proofs: Sequence[Link] = ()) -> Pair:
    """The UCANs of a session. `proofs`: what the account itself was delegated. Its facts tell the
    agent that this is what it asked for."""
    facts: Sequence[Mapping[str, object]] = [
        {REQUEST: session.request, CONFIRM: session.confirmation}
    ]
    granted = absent(
        session.account,
        session.agent,
        [{"can": can, "with": ANY_RESOURCE} for can in session.att],
        expiration=None,
        proofs=proofs,
        facts=facts,
    )
    capability = {"can": ATTEST, "with": service.did, "nb": {"proof": granted.link}}
    attested = delegate(service, session.agent, [capability], expiration=None, facts=facts)
    return Pair(granted, attested)


def request_in(delegation: Delegation) -> Link | None:
    """The request of the login that a UCAN says it is part of."""
    for fact in delegation.facts:
        if isinstance(request := fact.get(REQUEST), Link):
            return request
    return None


def packed(delegation: Delegation, company: Iterable[tuple[Link, bytes]] = ()) -> bytes:
    """A CAR with one UCAN as its root, as `access/claim` gives it and as the address in a letter
    holds it. `company` are the blocks that must travel with it."""
    return car.encode([delegation.link], [*company, (delegation.link, delegation.data)])
