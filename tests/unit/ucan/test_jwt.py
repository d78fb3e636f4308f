"""UCANs as JWT text: named and explained, never accepted."""

from base64 import urlsafe_b64encode
from typing import Any

import msgspec
import pytest

from taijitu.ipld.cid import RAW, link_to
from taijitu.protocols.capabilities import STORE_ADD
from taijitu.ucan import delegation, signature
from taijitu.ucan.authorize import Unauthorized, authorize
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.delegation import Delegation, InvalidDelegation
from taijitu.ucan.issue import delegate
from taijitu.ucan.jwt import decode
from unit.ucan.people import alice, authority, cap, grant, now, raw_link, service, space, store_add

HEADER = {"alg": "EdDSA", "typ": "JWT", "ucv": "0.9.1"}
PAYLOAD: dict[str, Any] = {
    "iss": space.did,
    "aud": alice.did,
    "att": [cap("*")],
    "exp": None,
    "prf": [str(raw_link)],
}


def encoded(part: object) -> bytes:
    return urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=")


def text(header: object = HEADER, payload: object = PAYLOAD, signed: bytes = bytes(64)) -> bytes:
    return b".".join((encoded(header), encoded(payload), urlsafe_b64encode(signed).rstrip(b"=")))


def read(data: bytes) -> Delegation:
    return decode(link_to(data, RAW), data)


def test_a_jwt_says_who_and_what() -> None:
    found = read(text())
    assert (found.issuer, found.audience) == (space.did, alice.did)
    assert [each.fields for each in found.capabilities] == [cap("*")]
    assert (found.proofs, found.expiration, found.version) == ((raw_link,), None, "0.9.1")
    assert signature.decode(found.signature).raw == bytes(64)
    assert not found.canonical


def test_a_proof_may_be_written_out_in_place() -> None:
    inner = text()
    found = read(text(payload=PAYLOAD | {"prf": [inner.decode()]}))
    (proof,) = found.proofs
    assert proof.digest == inner
    assert decode(proof, inner).issuer == space.did


def test_an_unknown_algorithm_is_still_read() -> None:
    found = read(text(HEADER | {"alg": "none"}))
    assert signature.decode(found.signature + b"none").algorithm == "none"


def test_a_jwt_never_proves_anything_even_if_it_is_signed() -> None:
    """Its text says exactly what was signed; stored like this it still has another link."""
    signed = grant(space, alice, cap("*"))
    payload = delegation.signing_payload(signed)
    raw = signature.decode(signed.signature).raw
    data = payload + b"." + urlsafe_b64encode(raw).rstrip(b"=")
    link = link_to(data, RAW)
    asked = delegate(alice, service.did, [store_add()], expiration=None, proofs=[link])
    found = authorize(asked, STORE_ADD, Bundle({link: data}), now=now, authority=authority)
    assert isinstance(found, Unauthorized)
    assert f"Proof {link} does not has a valid signature from {space.did}" in found.message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"..",
        b"a.b",
        text() + b".x",
        text() + b"!",
        text(header=[]),
        text(header={}),
        text(header=HEADER | {"alg": 1}),
        text(header=HEADER | {"ucv": 1}),
        text(payload=[]),
        text(payload={}),
        text(payload=PAYLOAD | {"iss": 1}),
        text(payload=PAYLOAD | {"aud": "alice"}),
        text(payload=PAYLOAD | {"prf": None}),
        text(payload=PAYLOAD | {"prf": [1]}),
        text(payload=PAYLOAD | {"prf": ["x" * 20_000]}),
        text(payload=PAYLOAD | {"att": "x"}),
        text(payload=PAYLOAD | {"exp": "x"}),
        text(payload=PAYLOAD | {"fct": [{"x": "y" * 300_000}]}),
        encoded(HEADER) + b"." + b"W" * 3 + b"." + b"AA",
        b"W1tbW1tb.W1tb.AA",
        encoded(HEADER) + b"." + urlsafe_b64encode(b'{"iss": "\xcc"}').rstrip(b"=") + b".AA",
    ],
    ids=range(22),
)
def test_what_is_not_a_jwt_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidDelegation):
        read(data)
