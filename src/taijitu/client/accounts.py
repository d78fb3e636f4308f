"""Logging in, and passing on or taking back what an agent may do.

Law: a login is over when what came for it names the very request that asked. Nothing that somebody
else put there for the agent is taken for it.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from time import monotonic, time
from typing import Any, Final, cast

from taijitu.client.asking import ok_of
from taijitu.client.failures import Unavailable, Unusable, refused
from taijitu.client.proofs import Proof, chosen, decode, end_of
from taijitu.client.session import Session
from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.ucan import principal
from taijitu.ucan.delegation import InvalidDelegation
from taijitu.ucan.issue import delegate as issue
from taijitu.ucan.principal import InvalidDid
from taijitu.ucan.session import request_in
from taijitu.ucan.signer import SEED_SIZE, Signer

LOGIN_TIME: Final = 15 * 60.0
"""Seconds that a login is waited for: as long as it can be confirmed here."""

LOOK: Final = 0.5
"""Seconds between the first two looks whether it was confirmed; later ones are further apart."""

LOOK_MAX: Final = 5.0
"""Seconds between two looks, at most."""


class NewSpace(Record):
    """A space that was made. Whoever has its key owns it: keep it, or keep it offline."""

    key: Signer
    proof: Proof
    """It lets the agent do everything in it. The client holds it already."""

    @property
    def did(self) -> str:
        return self.key.did


def account_of(email: str) -> str:
    """The DID of the account with an e-mail address. Raises `Unusable`."""
    try:
        return email if email.startswith("did:") else principal.from_email(email)
    except InvalidDid as why:
        raise Unusable(str(why)) from None


async def login(
    session: Session, email: str, can: Iterable[str] = ("*",), within: float = LOGIN_TIME
) -> tuple[Proof, ...]:
    """See `Client.login`."""
    nb = {"iss": account_of(email), "att": [{"can": each} for each in can]}
    asked = await session.exchange("access/authorize", nb, session.agent.did)
    if not asked.receipt.is_ok:
        raise refused(asked.receipt.out["error"])
    request = ok_of(asked.receipt).get("request")
    wanted = request if isinstance(request, Link) else asked.receipt.ran
    end, pause = monotonic() + within, LOOK
    while not (proofs := [each for each in await claim(session) if is_for(each, wanted)]):
        if monotonic() > end:
            raise Unavailable(f"nobody has confirmed the login of {email} within {within:g} s")
        await asyncio.sleep(pause)
        pause = min(pause * 1.2, LOOK_MAX)
    session.hold(*proofs)
    return tuple(proofs)


def is_for(proof: Proof, request: Link) -> bool:
    return request_in(proof.delegation) == request


async def claim(session: Session) -> list[Proof]:
    """What others have delegated to the agent, and left at the service. Anybody can: what cannot be
    read is not for us, and keeps nobody from the rest. Raises `Refused`."""
    ok = await session.invoke("access/claim", space=session.agent.did)
    found: Any = ok.get("delegations")
    archives = cast("Mapping[str, object]", found if isinstance(found, dict) else {})
    proofs: list[Proof] = []
    for each in archives.values():
        with suppress(Unusable):
            if isinstance(each, bytes):
                proofs.append(decode(each))
    return proofs


def delegate(
    session: Session, to: str, can: Iterable[str], expiration: int | None, space: str
) -> Proof:
    """See `Client.delegate`."""
    now, agent = int(time()), session.agent.did
    blocks: dict[Link, bytes] = {}
    proofs: dict[Link, None] = {}
    ends = [expiration]
    for each in can:
        carried = chosen(session.proofs, each, space, agent, now)
        proofs |= dict.fromkeys(carried.links)
        blocks |= carried.blocks
        if space != agent:
            ends.append(end_of(session.proofs, each, space, agent))
    expiration = min([end for end in ends if end is not None], default=None)
    try:
        made = issue(
            session.agent,
            to,
            [{"can": each, "with": space} for each in can],
            expiration=expiration,
            proofs=proofs,
        )
    except (InvalidDid, InvalidDelegation) as why:
        raise Unusable(str(why).removeprefix("not a UCAN: ")) from None
    return Proof(made, {**blocks, made.link: made.data})


async def revoke(session: Session, proof: Proof) -> None:
    """See `Client.revoke`."""
    ucan = proof.delegation
    answer = await session.exchange(
        "ucan/revoke",
        {"ucan": ucan.link},
        session.agent.did,
        company={ucan.link: ucan.data},
        proofs=[ucan.link],
    )
    if not answer.receipt.is_ok:
        raise refused(answer.receipt.out["error"])


async def create_space(session: Session, account: str | None) -> NewSpace:
    """See `Client.create_space`."""
    key = Signer.from_seed(os.urandom(SEED_SIZE))
    proof = owned(key, session.agent.did)
    if account is not None:
        nb = {"provider": (await session.service()).did, "consumer": key.did}
        await session.invoke("provider/add", nb, space=account_of(account))
    session.hold(proof)
    if account is not None:
        await leave(session, owned(key, account_of(account)), key.did)
    return NewSpace(key, proof)


def owned(key: Signer, by: str) -> Proof:
    """That somebody may do everything in the space of a key, for good."""
    made = issue(key, by, [{"can": "*", "with": key.did}], expiration=None)
    return Proof(made, {made.link: made.data})


async def leave(session: Session, proof: Proof, space: str) -> None:
    """Leave a delegation over a space at the service, for its audience to claim: an account gives
    it to every agent that logs in. Raises `Refused`."""
    link = proof.delegation.link
    answer = await session.exchange(
        "access/delegate",
        {"delegations": {str(link): link}},
        space,
        company=proof.blocks,
        proofs=[link],
    )
    if not answer.receipt.is_ok:
        raise refused(answer.receipt.out["error"])
