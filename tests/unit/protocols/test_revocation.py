"""`ucan/revoke`: what was delegated can be taken back by who had a say in it, and by nobody else,
from the answer on and for ever, whatever strangers say about it."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from taijitu.engine.storage import HeadRow
from taijitu.ipld import dagcbor
from taijitu.ipld.cid import Link, link_to
from taijitu.kernel.failures import Fault
from taijitu.protocols import revocation
from taijitu.protocols.console import Console
from taijitu.protocols.names import segment
from taijitu.protocols.revocation import Known, Revocations
from taijitu.protocols.upload import Uploads
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import absent, delegate
from taijitu.ucan.session import REQUEST, Session, pair
from taijitu.ucan.signer import Signer
from unit.protocols.serving import NONCES, Serving
from unit.ucan.people import account, alice, ask, bob, cap, carol, grant, mallory, raw_link, space
from unit.ucan.people import service as us

root = grant(space, alice, cap("*"))
parent = grant(alice, bob, cap("console/*"), proofs=[root])
child = grant(bob, carol, cap("console/log"), proofs=[parent])
CHAIN = (child, parent, root)


class Revoking(Serving):
    """A service of which one can ask who has revoked what."""

    def restart(self) -> None:
        """Begin anew with what is durable."""
        self.revocations = Revocations(self.durable)
        self.begin(self.revocations, Console(), Uploads(self.durable, self.spaces))
        self.service = replace(self.service, revokers=self.revocations.revokers)

    async def revoke(
        self,
        ucan: Delegation,
        by: Signer,
        *,
        agent: Signer | None = None,
        proofs: Iterable[Delegation] = (),
    ) -> Any:
        """What is said to a revocation by `by`, sent by `agent`. The UCAN comes along."""
        proofs = tuple(proofs)
        named = [*proofs] if agent else [ucan]
        asked = ask(
            agent or by,
            cap("ucan/revoke", by.did, ucan=ucan.link),
            named,
            nonce=str(next(NONCES)),
        )
        return (await self.send(asked, ucan, *proofs)).out

    async def works(self, proof: Delegation = child, agent: Signer = carol) -> bool:
        """Whether `console/log` may be asked for with the chain that ends at `proof`."""
        asked = ask(agent, cap("console/log", value=1), [proof], nonce=str(next(NONCES)))
        out = (await self.send(asked, proof, *CHAIN)).out
        if "error" in out:
            assert "has been revoked" in out["error"]["message"], out
        return "ok" in out


@pytest.fixture
async def serving() -> Revoking:
    serving = Revoking()
    serving.restart()
    await serving.world.provision(space.did, 1_000)
    return serving


def refuse_scans(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scan(*_: object, **__: object) -> list[HeadRow]:
        raise Fault("nobody should have asked")

    monkeypatch.setattr(serving.world.storage, "scan", scan)


@pytest.mark.parametrize(
    "by", [bob, carol, alice, space], ids=["issuer", "audience", "up", "owner"]
)
async def test_whoever_had_a_say_takes_it_back(serving: Revoking, by: Signer) -> None:
    assert await serving.works()
    assert (await serving.revoke(child, by))["ok"] == {"time": serving.engine.now()}
    assert not await serving.works()


async def test_what_stands_beside_it_stays_valid(serving: Revoking) -> None:
    sibling = grant(bob, carol, cap("console/log"), proofs=[parent], nonce="another")
    await serving.revoke(child, bob)
    assert await serving.works(sibling)


async def test_what_was_delegated_onwards_ends_with_it(serving: Revoking) -> None:
    await serving.revoke(root, space)
    assert not await serving.works()
    assert not await serving.works(parent, bob)


@pytest.mark.parametrize("by", [mallory, carol], ids=["stranger", "downstream"])
async def test_others_may_say_so_and_change_nothing(serving: Revoking, by: Signer) -> None:
    assert "ok" in await serving.revoke(parent, by)
    assert await serving.works()
    recorded = await serving.revocations.recorded(parent.link)
    assert [*recorded] == [by.did]


@pytest.mark.parametrize("order", [(mallory, bob), (bob, mallory)], ids=["before", "after"])
async def test_a_strangers_revocation_hides_nobodys(
    serving: Revoking, order: tuple[Signer, Signer]
) -> None:
    for by in order:
        await serving.revoke(child, by)
    assert not await serving.works()
    assert {*await serving.revocations.recorded(child.link)} == {mallory.did, bob.did}


async def test_to_revoke_can_be_delegated(serving: Revoking) -> None:
    may = grant(alice, mallory, cap("ucan/revoke", alice.did))
    assert "ok" in await serving.revoke(parent, alice, agent=mallory, proofs=[may])
    assert not await serving.works()


async def test_to_revoke_one_ucan_is_not_to_revoke_another(serving: Revoking) -> None:
    may = grant(alice, mallory, cap("ucan/revoke", alice.did, ucan=child.link))
    refused = await serving.revoke(parent, alice, agent=mallory, proofs=[may])
    assert "Constrain violation" in refused["error"]["message"]
    assert await serving.works()
    assert "ok" in await serving.revoke(child, alice, agent=mallory, proofs=[may])
    assert not await serving.works()


async def test_a_ucan_that_stands_deep_in_the_proofs_is_found_there(serving: Revoking) -> None:
    asked = ask(alice, cap("ucan/revoke", alice.did, ucan=parent.link), [child])
    assert (await serving.send(asked, *CHAIN)).is_ok
    assert not await serving.works()


async def test_what_is_revoked_has_to_come_along(serving: Revoking) -> None:
    error = await serving.error("ucan/revoke", alice, ucan=parent.link)
    assert error == {
        "name": "UCANNotFound",
        "message": f"The nb.ucan UCAN {parent.link} is not found, "
        "it MUST be included with the revocation.",
        "ucan": {"/": str(parent.link)},
    }
    asked = ask(alice, cap("ucan/revoke", alice.did, ucan=parent.link, proof=[root.link]), [parent])
    out = (await serving.send(asked, parent)).out
    assert f"The nb.proof[0] UCAN {root.link} is not found" in out["error"]["message"]
    assert await serving.works()


async def test_what_is_no_ucan_is_not_revoked(serving: Revoking) -> None:
    data = dagcbor.encode({"not": "a UCAN"})
    junk = replace(parent, link=link_to(data), data=data)
    assert "can not be revoked" in (await serving.revoke(junk, alice))["error"]["message"]


async def test_what_proves_nothing_is_not_revoked(serving: Revoking) -> None:
    """The same words with an empty field more have another link."""
    data = dagcbor.encode(dagcbor.decode(root.data) | {"fct": []})
    again = replace(root, link=link_to(data), data=data)
    assert "canonical" in (await serving.revoke(again, space))["error"]["message"]


async def test_the_same_revocation_twice_is_one(serving: Revoking) -> None:
    asked = ask(bob, cap("ucan/revoke", bob.did, ucan=child.link), [child])
    first = await serving.send(asked, child)
    serving.world.clock.advance(1_000)
    assert (await serving.send(asked, child)).link == first.link


async def test_who_revokes_again_is_told_since_when(serving: Revoking) -> None:
    first = await serving.revoke(child, bob)
    cause = (await serving.revocations.recorded(child.link))[bob.did]
    serving.world.clock.advance(1_000)
    assert await serving.revoke(child, bob) == first
    assert (await serving.revocations.recorded(child.link))[bob.did] == cause


async def test_what_was_done_before_is_answered_as_before(serving: Revoking) -> None:
    proof = grant(space, alice, cap("upload/add"))
    asked = ask(alice, cap("upload/add", root=raw_link), [proof])
    before = await serving.send(asked, proof)
    assert before.is_ok
    await serving.revoke(proof, space)
    assert (await serving.send(asked, proof)).link == before.link
    fresh = ask(alice, cap("upload/add", root=raw_link), [proof], nonce="fresh")
    assert "has been revoked" in (await serving.send(fresh, proof)).out["error"]["message"]


async def test_an_invocation_can_be_revoked_before_it_is_sent(serving: Revoking) -> None:
    asked = ask(space, cap("console/log", value=1))
    await serving.revoke(asked, space)
    assert "has been revoked" in (await serving.send(asked)).out["error"]["message"]


async def test_a_session_ends_with_its_attestation(serving: Revoking) -> None:
    given = delegate(space, account, [cap("*")], expiration=None)
    session = absent(account, alice.did, [cap("*", "ucan:*")], expiration=None, proofs=[given.link])
    attested = grant(us, alice, cap("ucan/attest", us.did, proof=session.link))

    async def log_in() -> Any:
        asked = ask(alice, cap("console/log"), [session, attested], nonce=str(next(NONCES)))
        return (await serving.send(asked, session, attested, given)).out

    assert "ok" in await log_in()
    await serving.revoke(attested, alice)
    assert "error" in await log_in()


def session_of(number: int) -> tuple[Delegation, ...]:
    """The same session of the account, as it is claimed once and again, with what it needs."""
    given = delegate(space, account, [cap("*")], expiration=None, nonce=str(number))
    login = Session(link_to(b"login"), account, alice.did, ("*",), link_to(b"yes"))
    return (*pair(us, login, [given.link]), given)


async def logged_in(serving: Revoking, proofs: tuple[Delegation, ...]) -> bool:
    asked = ask(alice, cap("console/log"), proofs[:2], nonce=str(next(NONCES)))
    return "ok" in (await serving.send(asked, *proofs)).out


@pytest.mark.parametrize("part", [0, 1], ids=["delegation", "attestation"])
async def test_a_session_ends_as_a_whole(serving: Revoking, part: int) -> None:
    first, second = session_of(1), session_of(2)
    assert first[0].link != second[0].link
    assert await logged_in(serving, second)
    await serving.revoke(first[part], alice)
    assert not await logged_in(serving, first)
    assert not await logged_in(serving, second)
    serving.restart()
    assert not await logged_in(serving, session_of(3))


async def test_an_account_ends_the_session_of_one_agent_from_another(serving: Revoking) -> None:
    lost, kept = session_of(1), session_of(2)
    login = Session(link_to(b"another"), account, bob.did, ("*",), link_to(b"yes"))
    mine = pair(us, login)
    asked = ask(bob, cap("ucan/revoke", account, ucan=lost[0].link), mine)
    assert "ok" in (await serving.send(asked, lost[0], *mine)).out
    assert not await logged_in(serving, kept)
    asked = ask(bob, cap("ucan/revoke", account, ucan=kept[0].link), mine)
    assert "ok" in (await serving.send(asked, kept[0], *mine)).out


async def test_a_stranger_ends_no_session_by_naming_it(serving: Revoking) -> None:
    facts = [{REQUEST: link_to(b"login")}]
    forged = delegate(mallory, carol.did, [cap("*", mallory.did)], expiration=None, facts=facts)
    for revoker in (mallory, carol):
        assert "ok" in await serving.revoke(forged, revoker)
    assert await logged_in(serving, session_of(1))


async def test_what_was_revoked_is_known_after_a_restart(
    serving: Revoking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "PAGE", 2)
    for number in range(5):
        await serving.revoke(grant(bob, carol, cap("*"), nonce=str(number)), bob)
    await serving.revoke(child, bob)
    serving.restart()
    assert await asyncio.gather(*[serving.works() for _ in range(3)]) == [False] * 3


async def test_a_revocation_counts_that_comes_while_the_others_are_loaded(
    serving: Revoking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "PAGE", 1)
    for number in range(9):
        await serving.revoke(grant(bob, carol, cap("*"), nonce=str(number)), bob)
    serving.restart()
    await asyncio.gather(serving.works(), serving.revoke(child, bob))
    assert not await serving.works()


async def test_nothing_is_looked_up_while_nothing_is_revoked(
    serving: Revoking, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await serving.works()
    refuse_scans(serving, monkeypatch)
    assert await serving.works()


async def test_nothing_is_looked_up_about_what_is_not_revoked(
    serving: Revoking, monkeypatch: pytest.MonkeyPatch
) -> None:
    await serving.revoke(grant(bob, carol, cap("*")), bob)
    refuse_scans(serving, monkeypatch)
    assert await serving.works()


async def test_nothing_is_done_while_storage_does_not_say_what_is_revoked(
    serving: Revoking, monkeypatch: pytest.MonkeyPatch
) -> None:
    await serving.revoke(child, bob)
    refuse_scans(serving, monkeypatch)
    with pytest.raises(Fault):
        await serving.works()


async def test_a_crowd_of_strangers_hides_nobodys_revocation(
    serving: Revoking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "REVOKERS_AT_ONCE", 3)
    crowd = [Signer.from_seed(bytes([number]) * 32) for number in range(8)]
    for stranger in crowd:
        await serving.revoke(child, stranger)
    assert await serving.works()
    await serving.revoke(child, space)
    assert not await serving.works()


async def test_what_takes_too_many_questions_is_taken_to_be_revoked(
    serving: Revoking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "REVOKERS_AT_ONCE", 1)
    await serving.revoke(child, mallory)
    monkeypatch.setattr(revocation, "LOOKUPS_MAX", 4)
    assert await serving.works()
    monkeypatch.setattr(revocation, "LOOKUPS_MAX", 3)
    assert not await serving.works()


async def test_more_may_be_revoked_than_fits_into_memory(serving: Revoking) -> None:
    serving.revocations.revoked = Known(size_max=2)
    for number in range(4):
        await serving.revoke(grant(bob, carol, cap("*"), nonce=str(number)), bob)
    assert serving.revocations.revoked.are_too_many
    assert not serving.revocations.revoked.links
    assert await serving.works()
    await serving.revoke(child, bob)
    assert not await serving.works()


@pytest.mark.parametrize("one", ["did:web:a%2Fb", "did:mailto:a.b:%25", "did:web:a/b"])
async def test_dids_that_are_spelled_alike_are_different_revokers(one: str) -> None:
    texts = {"did:web:a/b", "did:web:a%2Fb", "did:web:a%252Fb", "did:mailto:a.b:%25", "did:web:a b"}
    assert "/" not in segment(one)
    assert [text for text in texts if segment(text) == segment(one)] == [one]


def test_links_are_kept_up_to_a_number() -> None:
    known = Known(size_max=1)
    first, second = link_to(b"a"), link_to(b"b")
    asked: list[Link] = [first, second]
    assert list(known.among(asked)) == []
    known.add(first)
    assert list(known.among(asked)) == [first]
    known.add(second)
    assert known.among(asked) is asked
