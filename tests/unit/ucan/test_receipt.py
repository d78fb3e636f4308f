"""Receipts: the golden ones, and everything that is nearly one."""

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import vectors
from taijitu.ipld import dagcbor, dagjson
from taijitu.ipld.cid import Link, link_to
from taijitu.ipld.dagcbor import EncodeError
from taijitu.ucan import receipt
from taijitu.ucan.receipt import RECEIPT_SIZE_MAX, InvalidReceipt, Receipt
from taijitu.ucan.signer import Signer
from unit.ucan.people import alice, car_link, mallory, raw_link, read_car, service

RECEIPTS: list[dict[str, Any]] = vectors.manifest()["receipts"]
GOOD = [case for case in RECEIPTS if case["valid_signature"]]
blob_key = Signer.from_seed(sha256(b"\t").digest())
"""Anyone who knows the digest of the blob can sign that it has been put."""
BLOCK = dagcbor.decode(receipt.issue(service, car_link, {"ok": {}}).data)


def read(case: dict[str, Any]) -> Receipt:
    link = Link.parse(case["root"])
    return receipt.decode(link, read_car(case["file"]).blocks[link])


def test_all_receipts_are_tried() -> None:
    assert (len(RECEIPTS), len(GOOD)) == (7, 6)


@pytest.mark.parametrize("case", RECEIPTS, ids=lambda case: case["name"])
def test_a_signature_is_checked(case: dict[str, Any]) -> None:
    assert receipt.verify(read(case), [service.key_did]) == case["valid_signature"]


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["name"])
def test_a_receipt_says_what_javascript_reads_in_it(case: dict[str, Any]) -> None:
    found = read(case)
    assert str(found.link) == case["cid"]
    assert (str(found.ran), found.issuer) == (case["ran"], case["iss"])
    assert dagjson.encode(found.out) == dagjson.encode(links_in(case["out"]))
    assert [str(link) for link in found.fork] == case["fx"]["fork"]
    assert (str(found.join) if found.join else None) == case["fx"].get("join")
    assert (found.meta, found.signature.hex()) == (case["meta"], case["sig"])
    assert [str(link) for link in found.proofs] == case["prf"]
    assert found.is_ok == ("ok" in case["out"])
    signed = dagcbor.encode(dagcbor.decode(found.data)["ocm"])
    assert sha256(signed).hexdigest() == case["signed_bytes_sha256"]


def links_in(value: Any) -> Any:
    """The manifest's DAG-JSON with its links and bytes."""
    from base64 import b64decode

    match value:
        case {"/": str(text)}:
            return Link.parse(text)
        case {"/": {"bytes": text}}:
            return b64decode(text + "==")
        case dict():
            return {key: links_in(item) for key, item in value.items()}
        case list():
            return [links_in(item) for item in value]
    return value


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["name"])
def test_what_we_issue_is_what_javascript_issued(case: dict[str, Any]) -> None:
    found = read(case)
    signers = {each.did: each for each in (service, alice, blob_key)}
    issued = receipt.issue(
        signers[found.issuer],
        found.ran,
        found.out,
        fx_fork=found.fork,
        fx_join=found.join,
        meta=found.meta,
        proofs=found.proofs,
    )
    assert issued.data == found.data
    assert issued.link == found.link


def test_the_key_of_a_receipt_is_its_issuers() -> None:
    by_alice = receipt.issue(alice, car_link, {"ok": {}})
    assert receipt.verify(by_alice)
    assert receipt.verify(by_alice, [mallory.did])
    by_service = receipt.issue(service, car_link, {"ok": {}})
    assert not receipt.verify(by_service)
    assert not receipt.verify(by_service, [mallory.did])
    assert receipt.verify(by_service, [mallory.did, service.key_did])


@pytest.mark.parametrize(
    "changes",
    [
        {"ran": raw_link},
        {"out": {"ok": {"more": 1}}},
        {"out": {"error": {}}},
        {"fx": {"fork": [raw_link]}},
        {"fx": {"fork": [], "join": raw_link}},
        {"meta": {"a": 1}},
        {"prf": [raw_link]},
        {"iss": alice.did},
        {"extra": 1},
    ],
    ids=str,
)
def test_what_is_changed_is_no_longer_signed(changes: dict[str, Any]) -> None:
    data = dagcbor.encode(BLOCK | {"ocm": BLOCK["ocm"] | changes})
    assert not receipt.verify(receipt.decode(link_to(data), data), [service.key_did])


@pytest.mark.parametrize("out", [{}, {"ok": 1, "error": 1}, {"okay": 1}, {"ok": 1, "more": 1}])
def test_a_receipt_is_either_ok_or_an_error(out: dict[str, object]) -> None:
    with pytest.raises(InvalidReceipt):
        receipt.issue(service, car_link, out)


def test_what_has_no_encoding_is_not_issued() -> None:
    with pytest.raises(EncodeError):
        receipt.issue(service, car_link, {"ok": {1, 2}})
    with pytest.raises(InvalidReceipt):
        receipt.issue(service, car_link, {"ok": bytes(RECEIPT_SIZE_MAX)})


@pytest.mark.parametrize(
    "changes",
    [
        {"ran": None},
        {"ran": "x"},
        {"out": {}},
        {"out": {"ok": 1, "error": 2}},
        {"out": []},
        {"fx": None},
        {"fx": {}},
        {"fx": {"fork": None}},
        {"fx": {"fork": ["x"]}},
        {"fx": {"fork": [], "join": "x"}},
        {"meta": None},
        {"prf": None},
        {"iss": b"x"},
        {"iss": "alice"},
    ],
    ids=str,
)
def test_what_is_not_a_receipt_is_refused(changes: dict[str, Any]) -> None:
    data = dagcbor.encode(BLOCK | {"ocm": BLOCK["ocm"] | changes})
    with pytest.raises(InvalidReceipt):
        receipt.decode(link_to(data), data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        dagcbor.encode([]),
        dagcbor.encode({"sig": b""}),
        dagcbor.encode(BLOCK | {"sig": "x"}),
        bytes(RECEIPT_SIZE_MAX + 1),
    ],
    ids=lambda data: data[:9].hex() or "empty",
)
def test_what_is_not_even_a_map_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidReceipt):
        receipt.decode(link_to(data), data)


@given(st.binary(max_size=300))
def test_reading_raises_nothing_but_its_own_error(data: bytes) -> None:
    with pytest.raises(InvalidReceipt):
        receipt.decode(link_to(data), data)
