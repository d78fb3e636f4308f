"""UCANs as JWT text, in raw blocks: read so that we can say who issued them, never accepted.

Law: such a delegation names its issuer, audience and content, and its signature counts as
invalid. Peers verify by writing the content anew in canonical form, and what is in that form is
stored as DAG-CBOR in the first place.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import Any, Final

import msgspec

from taijitu.ipld import varint
from taijitu.ipld.cid import IDENTITY, RAW, InvalidLink, Link
from taijitu.ucan import principal, signature
from taijitu.ucan.delegation import DELEGATION_SIZE_MAX, Delegation, InvalidDelegation, read

_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
_IDENTITY_PREFIX: Final = varint.encode(1) + varint.encode(RAW) + varint.encode(IDENTITY)


def decode(link: Link, data: bytes) -> Delegation:
    """The UCAN in a raw block. Raises `InvalidDelegation`."""
    if len(data) > DELEGATION_SIZE_MAX:
        raise InvalidDelegation(f"a UCAN of {len(data)} bytes is larger than we read")
    parts = data.split(b".")
    if len(parts) != 3:
        raise InvalidDelegation("not a UCAN: a JWT has three parts")
    header, payload = _json(parts[0]), _json(parts[1])
    algorithm = header.get("alg")
    if not isinstance(algorithm, str):
        raise InvalidDelegation("not a UCAN: a JWT names its algorithm")
    signed = signature.encode(signature.code_of(algorithm), _bytes(parts[2]))
    block = payload | {
        "v": header.get("ucv"),
        "s": signed,
        "iss": _principal(payload, "iss"),
        "aud": _principal(payload, "aud"),
        "prf": _proofs(payload.get("prf")),
    }
    return read(link, data, block, canonical=False)


def _bytes(part: bytes) -> bytes:
    try:
        return a2b_base64(part.translate(_FROM_URL) + b"=" * (-len(part) % 4), strict_mode=True)
    except Base64Error as error:
        raise InvalidDelegation("not a UCAN: a JWT is written in base64") from error


def _json(part: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(_bytes(part), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidDelegation("not a UCAN: a JWT holds JSON") from error


def _principal(payload: dict[str, Any], key: str) -> bytes:
    did = payload.get(key)
    try:
        return principal.from_did(did if isinstance(did, str) else "")
    except principal.InvalidDid as error:
        raise InvalidDelegation(f"not a UCAN: {key!r} is {error}") from error


def _proofs(prf: Any) -> list[Link]:
    if not isinstance(prf, list):
        raise InvalidDelegation("not a UCAN: 'prf' must be a list")
    return [_proof(proof) for proof in prf]  # type: ignore[misc]


def _proof(proof: Any) -> Link:
    """A link, or another JWT written out in place: then the raw identity link that carries it."""
    if not isinstance(proof, str):
        raise InvalidDelegation("not a UCAN: a proof must be a link")
    try:
        return Link.parse(proof)
    except InvalidLink:
        inline = proof.encode()
    try:
        return Link.read(_IDENTITY_PREFIX + varint.encode(len(inline)) + inline)
    except InvalidLink as error:
        raise InvalidDelegation(f"not a UCAN: {error}") from error
