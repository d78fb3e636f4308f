"""Goal: what is left for somebody is what he gets, and nobody else; and the service attests nothing
but what was confirmed.

Method: a service in memory; people who log in, leave delegations for accounts and agents, claim
them, and use what they claimed."""

import pytest

from taijitu.ipld.cid import link_to
from taijitu.protocols import access, held
from taijitu.ucan.issue import absent, delegate
from unit.protocols.accounting import (
    ROOM,
    Account,
    Accounting,
    links,
    proofs_in,
    stores,
    to_account,
)
from unit.ucan.people import (
    account,
    alice,
    bob,
    cap,
    carol,
    grant,
    mallory,
    service,
    space,
)

OTHER = "did:mailto:example.com:bob"


@pytest.fixture
async def serving() -> Accounting:
    serving = Accounting()
    await serving.world.provision(space.did, ROOM)
    return serving


# access/delegate


async def test_what_is_left_for_an_agent_is_claimed_by_it(serving: Accounting) -> None:
    one, two = grant(space, bob, cap("store/*")), grant(space, bob, cap("upload/*"))
    other = grant(space, carol, cap("store/*"))
    assert await serving.delegate(space, one, two, other) == {"ok": {}}
    assert links(await serving.claim(bob)) == {one.link, two.link}
    assert links(await serving.claim(carol)) == {other.link}
    assert await serving.claim(mallory) == []


async def test_it_comes_with_its_proofs(serving: Accounting) -> None:
    root = grant(space, alice, cap("store/*"))
    onwards = grant(alice, bob, cap("store/add"), proofs=[root])
    nb = {"one": onwards.link}
    asked = serving.asks(space, "access/delegate", space.did, [onwards], delegations=nb)
    assert (await serving.send(asked, onwards, root)).is_ok
    (found,) = await serving.claim(bob)
    assert proofs_in(found) == [root.link]


async def test_nothing_may_be_left(serving: Accounting) -> None:
    assert await serving.delegate(space) == {"ok": {}}


async def test_what_is_left_twice_is_there_once(serving: Accounting) -> None:
    one = grant(space, bob, cap("store/*"))
    for _ in range(2):
        assert await serving.delegate(space, one, one) == {"ok": {}}
    assert len(await serving.claim(bob)) == 1


async def test_what_did_not_come_along_is_not_found(serving: Accounting) -> None:
    one, two = grant(space, bob, cap("store/*")), grant(space, bob, cap("upload/*"))
    nb = {"one": one.link, "two": two.link}
    for proofs, sent in (([one], [one]), ([one, two], [one]), ([one], [one, two])):
        asked = serving.asks(space, "access/delegate", space.did, proofs, delegations=nb)
        error = (await serving.send(asked, *sent)).out["error"]
        assert error["name"] == "DelegationNotFound"
        assert error["message"] == f"missing proof for delegation cid {two.link}"
    assert await serving.claim(bob) == []


async def test_what_is_no_ucan_is_not_kept(serving: Accounting) -> None:
    data = b"\xa0"
    link = link_to(data)
    with_it = delegate(
        space,
        service.did,
        [cap("access/delegate", delegations={"one": link})],
        proofs=[link],
        expiration=serving.seconds() + 30,
    )
    out = (await serving.send(with_it, company={link: data})).out
    assert out["error"]["name"] == "DelegationNotFound"


async def test_a_space_without_room_leaves_nothing(serving: Accounting) -> None:
    error = (await serving.delegate(mallory, grant(mallory, bob, cap("*", mallory.did))))["error"]
    assert error["name"] == "InsufficientStorage"
    assert error["message"] == f"{mallory.did} has no storage provider"
    await serving.spaces.block(space.did)
    error = (await serving.delegate(space, grant(space, bob, cap("*"))))["error"]
    assert error["message"] == f"{space.did} is blocked"
    assert await serving.claim(bob) == []


async def test_what_is_for_the_service_itself_needs_no_room_and_is_not_kept(
    serving: Accounting,
) -> None:
    """Before a space has room, a client asks a gateway to serve it: that is us."""
    for_us = grant(mallory, service, cap("space/content/serve/*", mallory.did))
    assert await serving.delegate(mallory, for_us) == {"ok": {}}
    both = (await serving.delegate(mallory, for_us, grant(mallory, bob, cap("*", mallory.did))))[
        "error"
    ]
    assert both["name"] == "InsufficientStorage"
    rows = await serving.engine.storage.scan("delegation/", limit=1)
    assert not rows


async def test_only_who_may_speak_for_a_space_leaves_things_as_it(serving: Accounting) -> None:
    one = grant(mallory, bob, cap("store/*"))
    nb = {"one": one.link}
    asked = serving.asks(mallory, "access/delegate", space.did, [one], delegations=nb)
    assert (await serving.send(asked, one)).out["error"]["name"] == "Unauthorized"
    assert await serving.claim(bob) == []


async def test_an_invocation_leaves_only_so_many(serving: Accounting) -> None:
    many = [
        grant(space, bob, cap("store/*"), nonce=str(number))
        for number in range(access.DELEGATIONS_MAX + 1)
    ]
    assert "at most 64" in (await serving.delegate(space, *many))["error"]["message"]
    assert await serving.delegate(space, *many[1:]) == {"ok": {}}


async def test_large_ones_are_counted_as_small_ones_are(
    serving: Accounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "FROM_SPACE_MAX", 3)
    monkeypatch.setattr(held, "SIZE_MAX", 1_000)
    monkeypatch.setattr(held, "PAGE", 1)
    facts = [{"x": "x" * 2_000}]
    for number in range(3):
        one = grant(space, bob, cap("*"), nonce=f"{number}", facts=facts)
        assert "ok" in await serving.delegate(space, one)
    error = (await serving.delegate(space, grant(space, bob, cap("*"), nonce="4")))["error"]
    assert error["name"] == "TooManyDelegations"


async def test_a_space_leaves_somebody_only_so_many(
    serving: Accounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "FROM_SPACE_MAX", 3)
    soon = serving.seconds() + 60
    many = [grant(space, bob, cap("*"), nonce=f"{number}", expiration=soon) for number in range(4)]
    assert "ok" in await serving.delegate(space, *many[:2])
    error = (await serving.delegate(space, *many[2:]))["error"]
    assert error["name"] == "TooManyDelegations"
    assert "ok" in await serving.delegate(space, many[0], many[1], many[2])
    assert "ok" in await serving.delegate(space, grant(space, carol, cap("*")))
    assert "error" in await serving.delegate(space, many[3])
    serving.world.clock.advance(61_000)
    late = grant(space, bob, cap("*"), nonce="late")
    assert "ok" in await serving.delegate(space, late), "what is over does not count"
    assert links(await serving.claim(bob)) == {late.link}


async def test_what_is_too_large_is_not_kept(
    serving: Accounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "ARCHIVE_SIZE_MAX", 1_000)
    fits = grant(space, bob, cap("store/*"), facts=[{"x": "x" * 500}])
    large = grant(space, bob, cap("store/*"), facts=[{"x": "x" * 1_000}])
    assert (
        "1000 at most are kept" in (await serving.delegate(space, fits, large))["error"]["message"]
    )
    assert await serving.claim(bob) == [], "all of them or none"
    assert "ok" in await serving.delegate(space, fits)


# access/claim


async def test_nobody_claims_for_others(serving: Accounting) -> None:
    await serving.delegate(space, grant(space, bob, cap("store/*")), to_account())
    for whom in (bob.did, account):
        asked = serving.asks(mallory, "access/claim", whom)
        assert (await serving.send(asked)).out["error"]["name"] == "Unauthorized"


async def test_who_acts_for_an_account_claims_what_was_left_for_it(serving: Accounting) -> None:
    session = await serving.log_in()
    assert await serving.act(session, "access/claim") == {"ok": {"delegations": {}}}
    one = to_account()
    await serving.delegate(space, one)
    found = (await serving.act(session, "access/claim"))["ok"]["delegations"]
    assert [*found] == [str(one.link)]


async def test_what_is_over_is_not_given(serving: Accounting) -> None:
    soon = serving.seconds() + 60
    one = grant(space, bob, cap("store/*"), expiration=soon)
    await serving.delegate(space, one)
    assert links(await serving.claim(bob)) == {one.link}
    serving.world.clock.advance(60_000)
    assert await serving.claim(bob) == []


async def test_a_session_proves_what_its_account_was_delegated(serving: Accounting) -> None:
    one = to_account()
    await serving.delegate(space, one)
    session = await serving.log_in()
    assert "ok" in await stores(serving, session)
    (granted,) = [each for each in await serving.claim(alice) if each.ucan.issuer == account]
    assert proofs_in(granted) == [one.link]


async def test_a_device_that_logged_in_before_learns_of_it(serving: Accounting) -> None:
    phone, laptop = await serving.log_in(alice), await serving.log_in(bob)
    assert "error" in await stores(serving, phone)
    await serving.delegate(space, to_account())
    assert "error" in await stores(serving, phone), "until it claims again"
    assert "ok" in await stores(serving, await serving.session(alice))
    assert "ok" in await stores(serving, await serving.session(bob))
    again = await serving.session(alice)
    assert {each.link for each in again.proofs} == {
        each.link for each in (await serving.session(alice)).proofs
    }
    assert laptop.proofs != (await serving.session(bob)).proofs


async def test_two_accounts_of_an_agent_stay_apart(serving: Accounting) -> None:
    await serving.delegate(space, to_account())
    hers, his = await serving.log_in(), await serving.log_in(alice, OTHER)
    assert "ok" in await stores(serving, hers)
    assert "error" in await stores(serving, his)


async def test_what_was_shared_with_an_account_by_another_is_provable(serving: Accounting) -> None:
    """Chains of two accounts: the space is bob's account's, who shares it with alice's."""
    await serving.delegate(space, to_account(who=OTHER))
    his = await serving.log_in(bob, OTHER)
    shared = delegate(
        bob,
        account,
        [cap("*", space.did)],
        expiration=None,
        proofs=[each.link for each in his.proofs],
    )
    nb = {"one": shared.link}
    proofs = [*his.proofs, shared]
    asked = serving.asks(bob, "access/delegate", space.did, proofs, delegations=nb)
    assert (await serving.send(asked, *proofs, company=his.blocks)).is_ok
    assert "ok" in await stores(serving, await serving.log_in())


# Forgeries


async def test_what_was_not_confirmed_is_not_attested(serving: Accounting) -> None:
    """Mallory leaves a session for herself, and an attestation that the service never made: she
    gets both back as they are."""
    await serving.delegate(space, to_account())
    await serving.world.provision(mallory.did, ROOM)
    forged = absent(account, mallory.did, [cap("*", "ucan:*")], expiration=None)
    claims = cap("ucan/attest", service.did, proof=forged.link)
    false = absent(service.did, mallory.did, [claims], expiration=None)
    own = grant(mallory.under(service.did), mallory, claims)
    assert "ok" in await serving.delegate(mallory, forged, false, own)
    assert links(await serving.claim(mallory)) == {forged.link, false.link, own.link}
    for attested in (false, own):
        blocks = {each.link: each.data for each in (forged, attested)}
        session = Account(account, mallory, [forged, attested], blocks)
        assert (await serving.act(session, "plan/get"))["error"]["name"] == "Unauthorized"
        assert "error" in await stores(serving, session)


async def test_a_pair_with_other_proofs_than_were_attested_is_none(serving: Accounting) -> None:
    session = await serving.log_in()
    await serving.delegate(space, to_account())
    later = await serving.session(alice)
    granted = [each for each in session.proofs if each.issuer == account]
    attested = [each for each in later.proofs if each.issuer == service.did]
    mixed = later._replace(proofs=[*granted, *attested], blocks={**later.blocks, **session.blocks})
    assert (await serving.act(mixed, "plan/get"))["error"]["name"] == "Unauthorized"


async def test_a_session_is_of_no_use_to_another_agent(serving: Accounting) -> None:
    session = await serving.log_in()
    stolen = session._replace(agent=mallory)
    assert (await serving.act(stolen, "plan/get"))["error"]["name"] == "Unauthorized"


async def test_what_was_revoked_is_not_given_away(serving: Accounting) -> None:
    root = grant(space, alice, cap("store/*"))
    one, two = grant(alice, bob, cap("store/add"), proofs=[root]), grant(space, bob, cap("*"))
    nb = {"one": one.link, "two": two.link}
    asked = serving.asks(space, "access/delegate", space.did, [one, two], delegations=nb)
    assert (await serving.send(asked, one, two, root)).is_ok
    await serving.revoke(mallory, one, root)
    assert links(await serving.claim(bob)) == {one.link, two.link}
    await serving.revoke(space, one, root)
    assert links(await serving.claim(bob)) == {two.link}


async def test_a_session_that_was_revoked_is_not_made_anew(serving: Accounting) -> None:
    before = await serving.log_in(alice)
    kept = await serving.log_in(bob)
    await serving.delegate(space, delegate(space, account, [cap("store/*")], expiration=None))
    await serving.revoke(alice, before.proofs[0])
    assert await serving.claim(alice) == []
    assert "error" in await serving.act(before, "plan/get")
    assert "ok" in await serving.act(kept, "plan/get")
    again = await serving.log_in(alice)
    assert "ok" in await serving.act(again, "plan/get")


async def test_an_account_proves_nothing_by_what_was_revoked(serving: Accounting) -> None:
    given = delegate(space, account, [cap("store/*")], expiration=None)
    await serving.delegate(space, given)
    assert given.link in (await serving.log_in(alice)).blocks
    await serving.revoke(space, given)
    assert given.link not in (await serving.session(alice)).blocks
