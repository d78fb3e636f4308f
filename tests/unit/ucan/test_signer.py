import pickle
from base64 import b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from support import vectors
from taijitu.ucan import principal, signature, signer, verifier
from taijitu.ucan.signature import InvalidSignature
from taijitu.ucan.signer import InvalidKey, Signer
from unit.ucan.people import alice, bob, service

SIGNATURES: list[dict[str, Any]] = vectors.manifest()["signatures"]
KEYED = {name: each for name, each in vectors.principals.items() if "private_key" in each}
TEXT = vectors.principals["alice"]["private_key"]
PRIVATE = bytes.fromhex(vectors.principals["alice"]["private_key_bytes"])


def test_all_signatures_and_keys_are_tried() -> None:
    assert (len(SIGNATURES), len(KEYED)) == (3, 6)


@pytest.mark.parametrize("case", SIGNATURES, ids=lambda case: case["signer"])
def test_a_signature_is_read_and_written_as_javascript_does(case: dict[str, Any]) -> None:
    varsig = bytes.fromhex(case["varsig"])
    made = signature.decode(varsig)
    assert (made.code, made.raw.hex()) == (case["code"], case["raw"])
    assert signature.encode(made.code, made.raw) == varsig


@pytest.mark.parametrize("name", ["alice", "rsa"])
def test_the_key_says_whether_it_signed(name: str) -> None:
    case = next(case for case in SIGNATURES if case["signer"] == name)
    payload, varsig = bytes.fromhex(case["payload"]), bytes.fromhex(case["varsig"])
    key = principal.from_did(vectors.principals[name]["did"])
    assert verifier.verify(key, payload, varsig)
    assert not verifier.verify(key, payload + b"!", varsig)
    assert not verifier.verify(key, payload, varsig[:-1] + bytes([varsig[-1] ^ 1]))
    assert not verifier.verify(principal.from_did(bob.did), payload, varsig)


def test_ed25519_signs_what_javascript_signs() -> None:
    case = next(case for case in SIGNATURES if case["signer"] == "alice")
    assert alice.sign(bytes.fromhex(case["payload"])).hex() == case["varsig"]


def test_an_absent_signature_convinces_nobody() -> None:
    absent = next(case for case in SIGNATURES if "absentee" in case["signer"])
    assert bytes.fromhex(absent["varsig"]) == signature.ABSENT
    assert not verifier.verify(alice.principal, b"", signature.ABSENT)


@pytest.mark.parametrize(
    "varsig",
    [
        b"",
        b"\xed",
        bytes.fromhex("eda10340") + bytes(63),
        bytes.fromhex("eda10340") + bytes(65),
        bytes.fromhex("eda1038000") + bytes(64),
        bytes.fromhex("eda183004040") + bytes(64),
        bytes.fromhex("0102") + bytes(2),
        bytes.fromhex("80a00301ffff"),
        bytes(2_000),
    ],
    ids=lambda data: data[:6].hex() or "empty",
)
def test_what_is_not_a_signature_is_refused(varsig: bytes) -> None:
    with pytest.raises(InvalidSignature):
        signature.decode(varsig)
    assert not verifier.verify(alice.principal, b"", varsig)


def test_the_algorithm_is_the_keys_and_not_the_signatures() -> None:
    varsig = signature.encode(signature.RS256, alice.sign(b"x")[4:])
    assert not verifier.verify(alice.principal, b"x", varsig)
    short = signature.encode(signature.EDDSA, bytes(32))
    assert not verifier.verify(alice.principal, b"x", short)


def test_keys_of_other_kinds_verify_nothing() -> None:
    p256 = bytes.fromhex("8024") + bytes(33)
    assert not verifier.verify(p256, b"x", signature.encode(signature.ES256, bytes(64)))
    assert not verifier.verify(b"\xff", b"x", alice.sign(b"x"))


def test_the_identity_key_verifies_nothing() -> None:
    """A point of small order would verify one signature for many payloads."""
    identity = bytes.fromhex("ed01") + b"\x01" + bytes(31)
    forged = signature.encode(signature.EDDSA, b"\x01" + bytes(63))
    assert not verifier.verify(identity, b"anything", forged)


def rsa_case(bits: int, exponent: int = 65_537) -> tuple[bytes, bytes]:
    """A key of this size as principal, and its signature of `x`."""
    key = rsa.generate_private_key(exponent, bits)
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.PKCS1
    )
    raw = key.sign(b"x", PKCS1v15(), SHA256())
    return bytes.fromhex("8524") + public, signature.encode(signature.RS256, raw)


def test_a_small_rsa_key_is_not_trusted() -> None:
    assert not verifier.verify(rsa_case(1_024)[0], b"x", rsa_case(1_024)[1])
    key, varsig = rsa_case(2_048)
    assert verifier.verify(key, b"x", varsig)


def test_an_rsa_key_with_a_huge_exponent_is_not_trusted() -> None:
    """It would only make verifying slow."""
    numbers = rsa.generate_private_key(65_537, 2_048).public_key().public_numbers()
    key = rsa.RSAPublicNumbers(2**64 + 13, numbers.n).public_key()
    public = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    varsig = signature.encode(signature.RS256, bytes(256))
    assert not verifier.verify(b"\x85\x24" + public, b"x", varsig)
    assert verifier._load_rsa(public) is None


def test_another_kind_of_key_in_der_is_not_an_rsa_key() -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert not verifier.verify(b"\x85\x24" + der, b"x", signature.encode(signature.RS256, b"x"))


def test_something_else_in_der_is_not_an_rsa_key() -> None:
    assert not verifier.verify(b"\x85\x24\x30\x00", b"x", signature.encode(signature.RS256, b"x"))


@pytest.mark.parametrize("name", KEYED)
def test_a_private_key_is_read_and_written_as_javascript_does(name: str) -> None:
    given = KEYED[name]
    parsed = Signer.parse(given["private_key"])
    assert parsed.did == parsed.key_did == given["did"]
    assert parsed.principal.hex() == given["did_bytes"]
    assert parsed.format() == given["private_key"]
    assert Signer.from_seed(bytes.fromhex(given["seed"])).format() == given["private_key"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "M",
        TEXT[1:],
        TEXT[:-1],
        TEXT[:-4],
        TEXT + "A",
        "m" + TEXT[1:],
        "Mnot base64 at all",
        "M" + b64encode(b"\x80\x25" + PRIVATE[2:]).decode(),
        "M" + b64encode(PRIVATE[:34] + b"\xee\x01" + PRIVATE[36:]).decode(),
        "M" + b64encode(PRIVATE[:36] + bob.public_key).decode(),
    ],
)
def test_what_is_not_a_private_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InvalidKey) as caught:
        Signer.parse(text)
    assert not text or len(text) < 10 or text not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_seed_has_32_bytes(size: int) -> None:
    with pytest.raises(InvalidKey):
        Signer.from_seed(bytes(size))


def test_a_service_signs_with_its_key_under_its_own_name() -> None:
    assert service.did == "did:web:service.example"
    assert service.principal == principal.from_did(service.did)
    assert service.key_did == vectors.principals["service"]["did"]
    key = principal.from_did(service.key_did)
    assert verifier.verify(key, b"x", service.sign(b"x"))


def test_an_archived_key_is_the_same_signer() -> None:
    assert alice.archive() == {"id": alice.did, "keys": {alice.did: PRIVATE}}
    again = signer.from_archive(service.archive())
    assert (again.did, again.key_did) == (service.did, service.key_did)
    assert again.sign(b"x") == service.sign(b"x")


@pytest.mark.parametrize(
    "archive",
    [
        None,
        {},
        {"id": alice.did},
        {"id": alice.did, "keys": {}},
        {"id": alice.did, "keys": {alice.did: "text"}},
        {"id": alice.did, "keys": {bob.did: PRIVATE}},
        {"id": 1, "keys": {alice.did: PRIVATE}},
        {"id": alice.did, "keys": {alice.did: PRIVATE, bob.did: PRIVATE}},
    ],
)
def test_what_is_not_an_archived_key_is_refused(archive: object) -> None:
    with pytest.raises(InvalidKey):
        signer.from_archive(archive)


def test_a_signer_does_not_show_its_key() -> None:
    assert TEXT not in repr(alice)
    assert repr(alice) == f"<Signer {alice.did}>"
    with pytest.raises(TypeError):
        pickle.dumps(alice)
