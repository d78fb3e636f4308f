"""Authorisation: the golden verdicts, then each rule by itself."""

from typing import Any

import pytest

from support import vectors
from taijitu.ipld import dagcbor
from taijitu.ipld.cid import Link, link_to
from taijitu.protocols.capabilities import ALL, STORE_ADD, StoreAdd
from taijitu.ucan.authorize import Authorization, Unauthorized, authorize
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.delegation import Delegation, decode
from taijitu.ucan.issue import delegate
from taijitu.ucan.validity import Authority
from unit.ucan.people import (
    alice,
    ask,
    authority,
    bob,
    bundle,
    cap,
    car_link,
    carol,
    earlier,
    grant,
    is_allowed,
    judge,
    later,
    mallory,
    now,
    other_car_link,
    raw_link,
    read_car,
    refusal,
    service,
    space,
    store_add,
)

JUDGED = [case for case in vectors.manifest()["delegations"] if "validity" in case]
GOOD = [case for case in JUDGED if case["validity"]["valid"]]
BAD = [case for case in JUDGED if not case["validity"]["valid"]]


def verdict(case: dict[str, Any]) -> Authorization[Any] | Unauthorized:
    given = Bundle(read_car(case["file"]).blocks)
    ability = ALL[case["validity"]["capability"]]
    invocation = given.view(Link.parse(case["root"]))
    return authorize(invocation, ability, given, now=now, authority=authority)


def test_all_verdicts_are_tried() -> None:
    assert (len(GOOD), len(BAD)) == (11, 24)


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["name"])
def test_what_javascript_allows_is_allowed(case: dict[str, Any]) -> None:
    found = verdict(case)
    assert isinstance(found, Authorization)
    assert str(found.chain[0].link) == case["root"]
    assert found.chain[-1].issuer == found.resource


@pytest.mark.parametrize("case", BAD, ids=lambda case: case["name"])
def test_what_javascript_refuses_is_refused_for_the_same_reasons(case: dict[str, Any]) -> None:
    found = verdict(case)
    assert isinstance(found, Unauthorized)
    assert found.name == case["validity"]["error"]
    # JavaScript prints an object without a text form there; we name the ability.
    can = f'{{"can":"{case["validity"]["capability"]}"}}'
    assert found.message == case["validity"]["message"].replace("[object Object]", can)


def test_the_caveats_are_read_into_a_record() -> None:
    found = judge(ask(space, cap("store/add", link=car_link, size=7, unknown="dropped")))
    assert isinstance(found, Authorization)
    assert found.ability is STORE_ADD
    assert found.nb == StoreAdd(car_link, 7, None)
    assert found.resource == space.did


def test_the_chain_leads_from_the_invocation_to_the_owner() -> None:
    first = grant(space, alice, cap("*"))
    second = grant(alice, bob, cap("store/*"), proofs=[first])
    last = ask(bob, proofs=[second])
    found = judge(last, second, first)
    assert isinstance(found, Authorization)
    assert [each.link for each in found.chain] == [last.link, second.link, first.link]


@pytest.mark.parametrize("can", ["store/add", "store/*", "*", "STORE/ADD"])
def test_a_wildcard_covers_an_ability(can: str) -> None:
    proof = grant(space, alice, cap(can))
    assert is_allowed(ask(alice, proofs=[proof]), proof)


@pytest.mark.parametrize("can", ["store/ad", "store/a*", "store/add/*", "upload/*", "s/*", "x/add"])
def test_another_ability_does_not(can: str) -> None:
    proof = grant(space, alice, cap(can))
    text = refusal(ask(alice, proofs=[proof]), proof)
    assert "Encountered unknown capabilities" in text


def test_an_invocation_itself_holds_no_wildcard() -> None:
    asked = ask(space, cap("*"))
    found = authorize(asked, STORE_ADD, bundle(), now=now, authority=authority)
    assert isinstance(found, Unauthorized)
    assert "No matching delegated capability found" in found.message
    assert '{"can":"*"' in found.message


def test_everything_delegates_what_its_issuer_can_prove() -> None:
    first = grant(space, alice, cap("*"))
    everything = grant(alice, bob, cap("*", "ucan:*"), proofs=[first])
    assert is_allowed(ask(bob, proofs=[everything]), everything, first)
    assert is_allowed(ask(bob, store_add() | {"with": alice.did}, [everything]), everything)
    assert not is_allowed(ask(bob, proofs=[everything]), everything)
    assert not is_allowed(
        ask(bob, store_add() | {"with": carol.did}, [everything]), everything, first
    )


def test_a_resource_prefix_owns_nothing() -> None:
    """`did:key:*` satisfies the schema of a space, and must not cover one."""
    proof = grant(mallory, alice, cap("store/list", "did:key:*"))
    assert not is_allowed(ask(alice, cap("store/list"), [proof]), proof)


@pytest.mark.parametrize(
    ("allowed", "asked"),
    [
        (cap("store/add", size=100), store_add(100)),
        (cap("store/add", size=100), store_add(99)),
        (cap("store/add", link=car_link), store_add(5)),
        (cap("store/*", link=car_link, size=5), store_add(5)),
    ],
    ids=str,
)
def test_a_claim_within_the_caveats_is_allowed(allowed: Any, asked: Any) -> None:
    proof = grant(space, alice, allowed)
    assert is_allowed(ask(alice, asked, [proof]), proof)


@pytest.mark.parametrize(
    ("allowed", "asked", "phrase"),
    [
        (cap("store/add", size=100), store_add(101), "Size constraint violation: 101 > 100"),
        (cap("store/*", link=other_car_link), store_add(), "violates imposed"),
        (cap("store/add", size="x"), store_add(), "Encountered malformed 'store/add'"),
        (cap("store/add", link=raw_link), store_add(), "CID with 0x202 codec"),
        ({"can": "*", "with": space.did, "nb": 7}, store_add(), "type object instead got 7"),
        (store_add() | {"with": "did:web:x.example"}, store_add(), "Expected a did:key:"),
    ],
    ids=str,
)
def test_a_claim_beyond_the_caveats_is_not(allowed: Any, asked: Any, phrase: str) -> None:
    proof = grant(space, alice, allowed)
    assert phrase in refusal(ask(alice, asked, [proof]), proof)


def test_caveats_narrow_all_the_way_up() -> None:
    first = grant(space, alice, cap("store/add", size=10))
    wider = grant(alice, bob, cap("store/add", size=100), proofs=[first])
    assert "100 > 10" in refusal(ask(bob, store_add(5), [wider]), wider, first)
    open_ended = grant(alice, bob, cap("store/add"), proofs=[first])
    assert is_allowed(ask(bob, store_add(10), [open_ended]), open_ended, first)
    assert not is_allowed(ask(bob, store_add(11), [open_ended]), open_ended, first)


def test_one_good_proof_among_bad_ones_is_enough() -> None:
    bad = [
        grant(mallory, alice, cap("*")),
        grant(space, bob, cap("*")),
        grant(space, alice, cap("*"), expiration=earlier),
        grant(space, alice, cap("upload/*")),
        grant(space, alice, cap("store/add", size=1)),
    ]
    good = grant(space, alice, cap("store/add"))
    assert is_allowed(ask(alice, proofs=[*bad, good]), *bad, good)
    assert not is_allowed(ask(alice, proofs=bad), *bad)


def test_one_good_capability_among_others_is_enough() -> None:
    proof = grant(space, alice, cap("upload/*"), cap("store/add", size=1), cap("store/add"))
    assert is_allowed(ask(alice, proofs=[proof]), proof)


def test_a_proof_must_be_addressed_to_who_uses_it() -> None:
    proof = grant(space, alice, cap("*"))
    assert "Delegation audience is" in refusal(ask(mallory, proofs=[proof]), proof)


def test_nobody_speaks_for_a_space_but_the_space() -> None:
    proof = grant(mallory, alice, cap("*", space.did))
    assert not is_allowed(ask(alice, proofs=[proof]), proof)
    circle = grant(alice, mallory, cap("*", space.did))
    proof = grant(mallory, alice, cap("*", space.did), proofs=[circle])
    assert not is_allowed(ask(alice, proofs=[proof]), proof, circle)


@pytest.mark.parametrize(
    ("times", "allowed"),
    [
        ({"expiration": now + 1}, True),
        ({"expiration": now}, False),
        ({"expiration": -1}, False),
        ({"expiration": None}, True),
        ({"not_before": now - 1}, True),
        ({"not_before": now}, False),
        ({"not_before": 2**53 - 1}, False),
        ({"not_before": -1}, True),
        ({"expiration": -(2**53) + 1}, False),
    ],
    ids=str,
)
def test_everything_has_its_time(times: dict[str, Any], allowed: bool) -> None:
    proof = grant(space, alice, cap("*"), **times)
    assert is_allowed(ask(alice, proofs=[proof]), proof) == allowed
    proof = grant(space, alice, cap("*"))
    assert is_allowed(ask(alice, proofs=[proof], **times), proof) == allowed


def test_the_clock_is_the_callers() -> None:
    asked = ask(space, expiration=later)
    assert is_allowed(asked, now=later - 1)
    assert not is_allowed(asked, now=later)


def tampered(given: Delegation, **changes: Any) -> Delegation:
    """The same delegation with other content under the old signature, and a link of its own."""
    data = dagcbor.encode(dagcbor.decode(given.data) | changes)
    return decode(link_to(data), data)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": bob.principal},
        {"aud": mallory.principal},
        {"att": [cap("*")]},
        {"att": [store_add(101)]},
        {"att": []},
        {"exp": None},
        {"exp": later + 1},
        {"nbf": earlier},
        {"nnc": "again"},
        {"fct": [{"a": 1}]},
        {"prf": [raw_link]},
        {"prf": []},
        {"v": "0.9.2"},
        {"s": b""},
        {"s": bytes.fromhex("80a00300")},
        {"s": bytes.fromhex("eda10340") + bytes(64)},
        {"s": bytes.fromhex("85a4c0064000") + bytes(64)},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_whatever_is_tampered_with_is_no_longer_signed(changes: dict[str, Any]) -> None:
    proof = grant(space, alice, cap("*"))
    asked = ask(alice, proofs=[proof])
    changed = tampered(asked, **changes)
    found = authorize(changed, STORE_ADD, bundle(proof), now=now, authority=authority)
    assert isinstance(found, Unauthorized)
    assert "does not has a valid signature" in found.message


@pytest.mark.parametrize(
    "changes", [{"extra": 1}, {"fct": []}, {"nnc": ""}, {"nbf": 0}, {"exp": float(later)}], ids=str
)
def test_a_second_spelling_of_a_delegation_proves_nothing(changes: dict[str, Any]) -> None:
    """Its signature would be valid; its link is not the one that would be revoked."""
    proof = grant(space, alice, cap("*"), expiration=later)
    assert is_allowed(ask(alice, proofs=[proof]), proof)
    again = tampered(proof, **changes)
    assert "canonical" in refusal(ask(alice, proofs=[again]), again)


def test_a_map_that_reads_like_a_link_is_not_signed_as_one() -> None:
    """Both have the same JSON, so one signature would be over two blocks."""
    proof = grant(space, alice, cap("store/add", link=car_link))
    again = tampered(proof, att=[cap("store/add", link={"/": str(car_link)})])
    assert "valid signature" in refusal(ask(alice, proofs=[again]), again)


def test_the_service_signs_with_its_key_and_nobody_else_does() -> None:
    assert is_allowed(ask(service, cap("ucan/conclude", service.did, receipt=raw_link)))
    forged = mallory.under(service.did)
    text = refusal(ask(forged, cap("ucan/conclude", service.did, receipt=raw_link)))
    assert f"issued by {service.did} does not has a valid signature" in text


def test_other_names_need_a_configured_key() -> None:
    peer = bob.under("did:web:peer.example")
    asked = ask(peer, cap("ucan/conclude", peer.did, receipt=raw_link))
    assert "Unable to resolve 'did:web:peer.example' key" in refusal(asked)
    knows = Authority(service.did, service.key_did, keys={peer.did: (carol.did, bob.did)})
    assert is_allowed(asked, authority=knows)
    wrong = Authority(service.did, service.key_did, keys={peer.did: (carol.did,)})
    assert "does not has a valid signature" in refusal(asked, authority=wrong)


def test_a_proof_that_is_no_ucan_is_named() -> None:
    junk = dagcbor.encode({"no": "ucan"})
    asked = delegate(
        alice, service.did, [store_add()], expiration=None, proofs=[link_to(junk), raw_link]
    )
    found = authorize(asked, STORE_ADD, Bundle({link_to(junk): junk}), now=now, authority=authority)
    assert isinstance(found, Unauthorized)
    assert "can not be read: not a UCAN" in found.message
    assert f"Linked proof '{raw_link}' is not included" in found.message


def test_a_proof_named_twice_counts_once() -> None:
    proof = grant(mallory, alice, cap("*"))
    text = refusal(ask(alice, proofs=[proof, proof]), proof)
    assert text.count("Capability can not be (self) issued") == 2


@pytest.mark.parametrize("can", ["space/info", "space/*", "*", "store/list", "upload/list"])
def test_space_info_derives_from_lists(can: str) -> None:
    proof = grant(space, alice, cap(can))
    assert is_allowed(ask(alice, cap("space/info"), [proof]), proof)


@pytest.mark.parametrize(
    "capability",
    [
        store_add(),
        cap("store/remove", link=car_link),
        cap("upload/add", root=raw_link),
        cap("upload/remove", root=raw_link),
    ],
    ids=str,
)
def test_space_info_derives_from_whole_additions_and_removals(capability: Any) -> None:
    proof = grant(space, alice, capability)
    assert is_allowed(ask(alice, cap("space/info"), [proof]), proof)


@pytest.mark.parametrize(
    "capability",
    [
        cap("store/*"),
        cap("upload/*"),
        cap("store/add"),
        cap("upload/get"),
        cap("store/list", carol.did),
        cap("store/list", cursor=1),
    ],
    ids=str,
)
def test_space_info_derives_from_nothing_else(capability: Any) -> None:
    proof = grant(space, alice, capability)
    assert not is_allowed(ask(alice, cap("space/info"), [proof]), proof)


def test_a_derived_ability_is_proven_as_what_it_derives_from() -> None:
    first = grant(space, alice, cap("store/list"))
    second = grant(alice, bob, cap("space/info"), proofs=[first])
    assert is_allowed(ask(bob, cap("space/info"), [second]), second, first)
    second = grant(alice, bob, cap("store/list"), proofs=[grant(space, alice, cap("space/info"))])
    first = grant(space, alice, cap("space/info"))
    assert not is_allowed(ask(bob, cap("space/info"), [second]), second, first)
