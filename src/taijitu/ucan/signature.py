"""Signatures as bytes that say how they were made ("varsig").

    varint(algorithm) varint(size) raw [name of the algorithm, only if it has no code]

Law: a signature has one spelling; whatever `decode` accepts, `encode` writes the same.
"""

from typing import Final

from taijitu.ipld import varint
from taijitu.kernel.record import Record

EDDSA: Final = 0xD0ED
RS256: Final = 0xD01205
ES256K: Final = 0xD0E7
ES256: Final = 0xD01200
ES384: Final = 0xD01201
ES512: Final = 0xD01202
EIP191: Final = 0xD191
BLS12_381_G1: Final = 0xD0EA
BLS12_381_G2: Final = 0xD0EB
NON_STANDARD: Final = 0xD000

ALGORITHMS: Final[dict[int, str]] = {
    EDDSA: "EdDSA",
    RS256: "RS256",
    ES256K: "ES256K",
    ES256: "ES256",
    ES384: "ES384",
    ES512: "ES512",
    EIP191: "EIP191",
    BLS12_381_G1: "BLS12381G1",
    BLS12_381_G2: "BLS12381G2",
}
SIGNATURE_SIZE_MAX: Final = 1_100
"""Bytes. An RSA-8192 signature with its head."""
ED25519_SIGNATURE_SIZE: Final = 64

ABSENT: Final = varint.encode(NON_STANDARD) + b"\x00"
"""The signature of someone who has no key: empty, by an algorithm without a name."""

_EDDSA_HEAD: Final = varint.encode(EDDSA) + varint.encode(ED25519_SIGNATURE_SIZE)
_EDDSA_SIZE: Final = len(_EDDSA_HEAD) + ED25519_SIGNATURE_SIZE
_CODES: Final = {name: code for code, name in ALGORITHMS.items()}


class InvalidSignature(ValueError):
    """These bytes are not a signature (whatever they would be signing)."""


class Signature(Record):
    """What was signed with which algorithm; `raw` is the bare signature."""

    code: int
    algorithm: str
    """As in a JWT header: `EdDSA`, `RS256` …; empty for an absent signature."""
    raw: bytes


def encode(code: int, raw: bytes) -> bytes:
    """A signature by an algorithm that has a code."""
    if code == EDDSA and len(raw) == ED25519_SIGNATURE_SIZE:
        return _EDDSA_HEAD + raw
    return varint.encode(code) + varint.encode(len(raw)) + raw


def decode(data: bytes) -> Signature:
    """Raises `InvalidSignature`."""
    if (raw := eddsa(data)) is not None:
        return Signature(EDDSA, "EdDSA", raw)
    if len(data) > SIGNATURE_SIZE_MAX:
        raise InvalidSignature(f"a signature of {len(data)} bytes is too long")
    try:
        code, offset = varint.decode(data)
        size, offset = varint.decode(data, offset)
    except varint.VarintError as error:
        raise InvalidSignature(f"not a signature: {error}") from error
    raw, rest = data[offset : offset + size], data[offset + size :]
    if len(raw) != size:
        raise InvalidSignature("the signature ends early")
    return Signature(code, _name(code, rest), raw)


def algorithm_of(data: bytes) -> str:
    """The name of the algorithm of a signature, as `decode` finds it. Raises `InvalidSignature`."""
    return "EdDSA" if eddsa(data) is not None else decode(data).algorithm


def eddsa(data: bytes) -> bytes | None:
    """The bare signature, 64 bytes, if this is an Ed25519 one: nearly all are."""
    if len(data) == _EDDSA_SIZE and data.startswith(_EDDSA_HEAD):
        return data[len(_EDDSA_HEAD) :]
    return None


def code_of(algorithm: str) -> int:
    """The code of an algorithm by its JWT name; `NON_STANDARD` for one that has none."""
    return _CODES.get(algorithm, NON_STANDARD)


def _name(code: int, rest: bytes) -> str:
    if code == NON_STANDARD:
        try:
            return rest.decode()
        except UnicodeDecodeError as error:
            raise InvalidSignature("the name of an algorithm is UTF-8") from error
    if rest:
        raise InvalidSignature(f"{len(rest)} bytes follow the signature")
    if code not in ALGORITHMS:
        raise InvalidSignature(f"unknown signature algorithm {code:#x}")
    return ALGORITHMS[code]
