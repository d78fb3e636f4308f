import pytest

from support import vectors
from taijitu.ipld import multibase
from taijitu.ucan import principal
from taijitu.ucan.principal import InvalidDid

PRINCIPALS = vectors.principals
ED25519 = bytes.fromhex(PRINCIPALS["alice"]["did_bytes"])


def test_all_nine_principals_are_tried() -> None:
    assert len(PRINCIPALS) == 9


@pytest.mark.parametrize("name", PRINCIPALS)
def test_a_did_and_its_bytes_are_the_same_principal(name: str) -> None:
    given = PRINCIPALS[name]
    assert principal.from_did(given["did"]) == bytes.fromhex(given["did_bytes"])
    assert principal.to_did(bytes.fromhex(given["did_bytes"])) == given["did"]


@pytest.mark.parametrize(
    "code", ["e701", "ea01", "eb01", "8024", "8124", "8224"], ids=lambda code: f"code {code}"
)
def test_keys_of_other_kinds_name_principals_too(code: str) -> None:
    data = bytes.fromhex(code) + bytes(range(33))
    assert principal.from_did(principal.to_did(data)) == data


@pytest.mark.parametrize(
    "did",
    [
        "",
        "did:",
        "did:web",
        "did:web:",
        "did::x",
        "alice",
        "DID:web:x.example",
        "did:key:",
        "did:key:z",
        "did:key:z6Mk",
        "did:key:mAAAA",
        PRINCIPALS["alice"]["did"][:-1],
        PRINCIPALS["alice"]["did"] + "1",
        PRINCIPALS["alice"]["did"] + " ",
        "did:key:" + multibase.encode("z", b"\xed\x01" + bytes(31)),
        "did:key:" + multibase.encode("z", b"\xed\x81\x00" + bytes(32)),
        "did:key:" + multibase.encode("z", b"\x80\x26" + bytes(32)),
        "did:key:" + multibase.encode("m", ED25519),
        "did:web:" + "x" * 2_000,
        "did:web:\ud800",
    ],
)
def test_what_is_not_a_did_is_refused(did: str) -> None:
    with pytest.raises(InvalidDid):
        principal.from_did(did)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xed",
        b"\xed\x01",
        ED25519[:-1],
        ED25519 + b"\x00",
        b"\xed\x81\x00" + ED25519[2:],
        b"\x13\x37" + bytes(32),
        b"\x9d\x1a",
        b"\x9d\x1aweb",
        b"\x9d\x1aweb:",
        b"\x9d\x1aweb:\xff",
        b"\x9d\x1akey:" + PRINCIPALS["alice"]["did"][8:].encode(),
        b"\x9d\x1aweb:" + bytes(2_000),
    ],
)
def test_what_is_not_a_principal_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidDid):
        principal.to_did(data)


@pytest.mark.parametrize(
    ("email", "did"),
    [
        ("alice@example.com", "did:mailto:example.com:alice"),
        ("alice+w3@mail.example.com", "did:mailto:mail.example.com:alice%2Bw3"),
        ("o'hara@example.com", "did:mailto:example.com:o'hara"),
        ('"a@b"@example.com', "did:mailto:example.com:%22a%40b%22"),
    ],
)
def test_an_account_is_an_email_address(email: str, did: str) -> None:
    assert principal.from_email(email) == did
    assert principal.to_email(did) == email


@pytest.mark.parametrize("email", ["", "alice", "@example.com", "alice@"])
def test_what_is_not_an_email_address_has_no_account(email: str) -> None:
    with pytest.raises(InvalidDid):
        principal.from_email(email)


@pytest.mark.parametrize("did", ["did:mailto:", "did:mailto:x", "did:web:a:b", "did:mailto::a"])
def test_what_is_not_an_account_has_no_email_address(did: str) -> None:
    with pytest.raises(InvalidDid):
        principal.to_email(did)
