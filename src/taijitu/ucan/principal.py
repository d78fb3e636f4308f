"""Principals: a DID as text, and as the bytes that blocks carry.

Law: one principal has one spelling in each form, so comparing texts (or bytes) compares
principals. Source: the DID encoding of `ipld/dag-ucan` (multicodec keys, `0x0d1d` for the rest).
"""

from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from taijitu.ipld import multibase, varint

ED25519_PUBLIC: Final = 0xED
RSA_PUBLIC: Final = 0x1205
SECP256K1_PUBLIC: Final = 0xE7
BLS12_381_G1_PUBLIC: Final = 0xEA
BLS12_381_G2_PUBLIC: Final = 0xEB
P256_PUBLIC: Final = 0x1200
P384_PUBLIC: Final = 0x1201
P521_PUBLIC: Final = 0x1202
DID_CORE: Final = 0x0D1D
"""Any other DID: what follows is the UTF-8 text after `did:`."""

ED25519_PREFIX: Final = varint.encode(ED25519_PUBLIC)
ED25519_SIZE: Final = 34
"""Bytes of an Ed25519 principal: the prefix and the public key."""
PRINCIPAL_SIZE_MAX: Final = 1_100
"""Bytes of a principal: an RSA-8192 public key with its prefix, the longest key we read."""
REMEMBERED_MAX: Final = 4_096
"""Conversions remembered: both directions are pure functions of a short value."""

_CORE_PREFIX: Final = varint.encode(DID_CORE)
_KEY_CODES: Final = frozenset(
    (
        ED25519_PUBLIC,
        RSA_PUBLIC,
        SECP256K1_PUBLIC,
        BLS12_381_G1_PUBLIC,
        BLS12_381_G2_PUBLIC,
        P256_PUBLIC,
        P384_PUBLIC,
        P521_PUBLIC,
    )
)
_KEY_METHOD: Final = "did:key:"
_MAILTO_METHOD: Final = "did:mailto:"
_UNESCAPED: Final = "!~*'()"
"""What `encodeURIComponent` leaves alone and `quote` would not."""


class InvalidDid(ValueError):
    """This is not a principal we can name."""


@lru_cache(maxsize=REMEMBERED_MAX)
def to_did(principal: bytes) -> str:
    """The DID of a principal in bytes. Raises `InvalidDid`."""
    if len(principal) > PRINCIPAL_SIZE_MAX:
        raise InvalidDid(f"a principal of {len(principal)} bytes is too long")
    if principal[:2] == _CORE_PREFIX:
        return _read_core(principal)
    _check_key(principal)
    return _KEY_METHOD + multibase.encode(multibase.BASE58BTC, principal)


@lru_cache(maxsize=REMEMBERED_MAX)
def from_did(did: str) -> bytes:
    """The principal that a DID names, in bytes. Raises `InvalidDid`."""
    if did.startswith(_KEY_METHOD):
        return _read_key(did)
    method, _, rest = did.removeprefix("did:").partition(":")
    if not did.startswith("did:") or not method or not rest:
        raise InvalidDid(f"not a DID: {did[:80]!r}")
    try:
        principal = _CORE_PREFIX + did[4:].encode()
    except UnicodeEncodeError as error:
        raise InvalidDid("a DID is text without lone surrogates") from error
    if len(principal) > PRINCIPAL_SIZE_MAX:
        raise InvalidDid(f"a DID of {len(principal)} bytes is too long")
    return principal


def is_key(did: str) -> bool:
    """Whether this DID is itself a public key."""
    return did.startswith(_KEY_METHOD)


def key_code(principal: bytes) -> tuple[int, bytes]:
    """The kind of a key principal and the public key in it. Raises `InvalidDid`."""
    try:
        code, start = varint.decode(principal)
    except varint.VarintError as error:
        raise InvalidDid(f"not a principal: {error}") from error
    return code, principal[start:]


def from_email(email: str) -> str:
    """The account of an e-mail address: `a@b` is `did:mailto:b:a`. Raises `InvalidDid`."""
    local, at, domain = email.rpartition("@")
    if not at or not local or not domain:
        raise InvalidDid(f"not an e-mail address: {email[:80]!r}")
    return f"{_MAILTO_METHOD}{quote(domain, _UNESCAPED)}:{quote(local, _UNESCAPED)}"


def to_email(did: str) -> str:
    """The e-mail address of an account. Raises `InvalidDid`."""
    domain, colon, local = did.removeprefix(_MAILTO_METHOD).partition(":")
    if not did.startswith(_MAILTO_METHOD) or not colon or not domain or not local:
        raise InvalidDid(f"not an account: {did[:80]!r}")
    return f"{unquote(local)}@{unquote(domain)}"


def _read_core(principal: bytes) -> str:
    try:
        text = principal[2:].decode()
    except UnicodeDecodeError as error:
        raise InvalidDid("a DID in bytes must be UTF-8") from error
    method, _, rest = text.partition(":")
    if not method or not rest:
        raise InvalidDid(f"not a DID: {text[:80]!r}")
    if method == "key":
        # It would read as the same text as the key itself: a second spelling of one principal.
        raise InvalidDid("a did:key is written as the key, not as text")
    return "did:" + text


def _check_key(principal: bytes) -> None:
    code, key = key_code(principal)
    if code not in _KEY_CODES:
        raise InvalidDid(f"Unsupported DID encoding, unknown key code {code:#x}")
    if not key or (code == ED25519_PUBLIC and len(principal) != ED25519_SIZE):
        raise InvalidDid(f"a key of kind {code:#x} does not have {len(key)} bytes")


def _read_key(did: str) -> bytes:
    text = did[len(_KEY_METHOD) :]
    if not text.startswith(multibase.BASE58BTC):
        raise InvalidDid(f"a did:key is written in base58btc: {did[:80]!r}")
    try:
        principal = multibase.decode(text)
    except multibase.MultibaseError as error:
        raise InvalidDid(f"not a did:key: {error}") from error
    _check_key(principal)
    return principal
