"""UCAN blocks: the golden ones, and everything that is nearly one."""

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import vectors
from taijitu.ipld import dagcbor, dagjson
from taijitu.ipld.cid import IDENTITY, Link, link_to
from taijitu.ucan import bundle, delegation, principal, signature, verifier
from taijitu.ucan.delegation import (
    CAPABILITIES_MAX,
    DELEGATION_SIZE_MAX,
    PROOFS_MAX,
    Delegation,
    InvalidDelegation,
)
from taijitu.ucan.issue import absent, delegate
from unit.ucan.people import account, alice, cap, car_link, grant, read_car, service, space

DELEGATIONS: list[dict[str, Any]] = vectors.manifest()["delegations"]
CBOR = [case for case in DELEGATIONS if case["decoded"]["codec"] == 0x71]
BROKEN = ("bad-signature", "bad-payload-tampered")
SIMPLE = dagcbor.decode(grant(space, alice, cap("*")).data)


def root_of(case: dict[str, Any]) -> Delegation:
    link = Link.parse(case["root"])
    return bundle.read(link, read_car(case["file"]).blocks[link])


def as_json(value: Any) -> Any:
    """As the manifest writes it: links and bytes in DAG-JSON."""
    return dagjson.encode(value).decode()


def packed(**changes: Any) -> Delegation:
    """A simple delegation with these keys instead; a key that is `...` is left out."""
    block = {key: value for key, value in (SIMPLE | changes).items() if value is not ...}
    data = dagcbor.encode(block)
    return delegation.decode(link_to(data), data)


def test_all_delegations_are_tried() -> None:
    assert (len(DELEGATIONS), len(CBOR)) == (48, 47)


@pytest.mark.parametrize("case", DELEGATIONS, ids=lambda case: case["name"])
def test_a_delegation_says_what_javascript_reads_in_it(case: dict[str, Any]) -> None:
    found, expected = root_of(case), case["decoded"]
    assert str(found.link) == expected["cid"]
    assert sha256(found.data).hexdigest() == expected["bytes_sha256"]
    assert (found.version, found.issuer, found.audience) == (
        expected["v"],
        expected["iss"],
        expected["aud"],
    )
    assert found.expiration == expected["exp"]
    assert found.not_before == expected.get("nbf")
    assert found.nonce == expected.get("nnc")
    assert [str(proof) for proof in found.proofs] == expected["prf"]
    att = [capability.fields for capability in found.capabilities]
    assert as_json(att) == dagjson_of(expected["att"])
    assert as_json(list(found.facts)) == dagjson_of(expected["fct"])
    assert found.signature.hex() == expected["s"]
    made = signature.decode(found.signature)
    assert made.code == expected["signature"]["code"]
    assert made.algorithm == expected["signature"]["algorithm"]
    assert made.raw.hex() == expected["signature"]["raw"]


def dagjson_of(plain: Any) -> str:
    """The manifest's JSON, with its keys in order."""
    import json

    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


@pytest.mark.parametrize("case", CBOR, ids=lambda case: case["name"])
def test_a_delegation_is_written_to_the_byte_as_javascript_does(case: dict[str, Any]) -> None:
    found = root_of(case)
    assert delegation.encode(found) == found.data
    assert link_to(delegation.encode(found)) == found.link
    assert delegation.signing_payload(found).decode() == case["decoded"]["signing_payload"]


@pytest.mark.parametrize("case", CBOR, ids=lambda case: case["name"])
def test_a_signature_is_over_the_payload(case: dict[str, Any]) -> None:
    found = root_of(case)
    is_signed = verifier.verify(key_of(found), delegation.signing_payload(found), found.signature)
    assert is_signed == (case["name"] not in BROKEN and found.issuer != account)


def key_of(found: Delegation) -> bytes:
    did = service.key_did if found.issuer == service.did else found.issuer
    return principal.from_did(did)


@pytest.mark.parametrize(
    "name",
    ["delegation-simple", "delegation-caveat", "delegation-all-fields", "delegation-unicode"],
)
def test_what_we_issue_is_what_javascript_issued(name: str) -> None:
    found = root_of(next(case for case in CBOR if case["name"] == name))
    issued = delegate(
        space,
        found.audience,
        [capability.fields for capability in found.capabilities],
        expiration=found.expiration,
        proofs=found.proofs,
        facts=found.facts,
        not_before=found.not_before,
        nonce=found.nonce,
    )
    assert issued.data == found.data
    assert issued.link == found.link


def test_an_account_issues_without_a_signature() -> None:
    found = root_of(next(case for case in CBOR if case["name"] == "delegation-absentee"))
    issued = absent(
        account,
        found.audience,
        [capability.fields for capability in found.capabilities],
        expiration=None,
        proofs=found.proofs,
    )
    assert issued.link == found.link


def test_abilities_are_lower_case() -> None:
    assert grant(space, alice, cap("STORE/Add")).capabilities[0].can == "store/add"
    assert packed(att=[cap("STORE/Add")]).capabilities[0].can == "store/add"
    assert packed(att=[cap("STORE/Add")]).capabilities[0].fields["can"] == "store/add"


def test_what_is_issued_is_canonical() -> None:
    assert grant(space, alice, cap("*"), nonce="", not_before=0).canonical
    with pytest.raises(InvalidDelegation):
        grant(space, alice, cap("store/add", size=1.0))


@pytest.mark.parametrize(
    "changes",
    [
        {"v": ...},
        {"v": 9},
        {"v": "one"},
        {"iss": ...},
        {"iss": space.did},
        {"iss": b"\xed\x01"},
        {"aud": ...},
        {"aud": b""},
        {"aud": b"\x9d\x1akey:z6Mk"},
        {"s": ...},
        {"s": "text"},
        {"att": ...},
        {"att": {}},
        {"att": [1]},
        {"att": [{"can": "store/add"}]},
        {"att": [{"with": space.did}]},
        {"att": [cap("store")]},
        {"att": [cap("/store")]},
        {"att": [cap("store/")]},
        {"att": [cap("")]},
        {"att": [cap("**")]},
        {"att": [cap("store/add", "")]},
        {"att": [cap("store/add", "no uri")]},
        {"att": [{"can": 1, "with": space.did}]},
        {"att": [{"can": "*", "with": b"did:key:x"}]},
        {"prf": ...},
        {"prf": "x"},
        {"prf": [b"x"]},
        {"prf": [str(car_link)]},
        {"exp": ...},
        {"exp": "soon"},
        {"exp": 1.5},
        {"exp": True},
        {"exp": 2**53},
        {"exp": -(2**53)},
        {"nbf": "x"},
        {"nbf": 1.5},
        {"nnc": 1},
        {"fct": {}},
        {"fct": None},
        {"fct": [1]},
        {"att": [cap("store/add")] * (CAPABILITIES_MAX + 1)},
        {"prf": [car_link] * (PROOFS_MAX + 1)},
        {"fct": [{"x": bytes(DELEGATION_SIZE_MAX)}]},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_what_is_not_a_ucan_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidDelegation):
        packed(**changes)


@pytest.mark.parametrize("data", [b"", b"\xf6", b"\x80", b"\x1b", b"\xa1aa", b"a.b.c", bytes(99)])
@pytest.mark.parametrize("codec", [0x71, 0x55, 0x70])
def test_what_is_not_even_a_map_is_refused(data: bytes, codec: int) -> None:
    with pytest.raises(InvalidDelegation):
        bundle.read(link_to(data, codec), data)


@given(st.binary(max_size=300))
def test_reading_raises_nothing_but_its_own_error(data: bytes) -> None:
    for codec in (0x71, 0x55):
        try:
            bundle.read(link_to(data, codec), data)
        except InvalidDelegation:
            continue


json_parts = st.sampled_from(
    [b"e30", b"", b"W10", b"eyJhbGciOiJFZERTQSIsInVjdiI6IjAuOS4xIn0", b"!", b"_w"]
)


@given(st.lists(json_parts, min_size=3, max_size=3))
def test_reading_a_jwt_raises_nothing_but_its_own_error(parts: list[bytes]) -> None:
    data = b".".join(parts)
    with pytest.raises(InvalidDelegation):
        bundle.read(link_to(data, 0x55), data)


def test_times_may_be_negative_and_there_may_be_no_capability() -> None:
    found = packed(exp=-5, nbf=-9, att=[])
    assert (found.expiration, found.not_before, found.capabilities) == (-5, -9, ())
    assert packed(exp=5.0).expiration == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"extra": 1},
        {"fct": []},
        {"nnc": ""},
        {"nbf": 0},
        {"exp": 2.0},
        {"nbf": 2.0},
        {"att": [cap("STORE/ADD")]},
        {"att": [cap("store/add", size=1.0)]},
        {"att": [cap("store/add", deep=[{"size": -0.0}])]},
        {"fct": [{"size": 1.0}]},
    ],
    ids=str,
)
def test_a_second_spelling_of_the_same_payload_is_not_canonical(changes: dict[str, Any]) -> None:
    """Otherwise a revoked delegation could be written again, under another link."""
    assert not packed(**changes).canonical


@pytest.mark.parametrize(
    "changes",
    [{}, {"fct": [{"x": 1.5, "y": 1e300}]}, {"nnc": "\xfb"}, {"att": [cap("*", size=2**53)]}],
    ids=str,
)
def test_everything_else_is_canonical(changes: dict[str, Any]) -> None:
    assert packed(**changes).canonical


def test_a_block_that_is_named_in_another_way_is_not_canonical() -> None:
    data = dagcbor.encode(SIMPLE)
    size = bytes([len(data) & 0x7F | 0x80, len(data) >> 7])
    named = Link.read(bytes([1, 0x71, IDENTITY]) + size + data)
    assert not delegation.decode(named, data).canonical
