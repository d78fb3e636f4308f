"""Delegations: one principal lets another do something. An invocation is one too, to the executor.

Law: the bytes are kept as they came, and every name, time and proof is read from them once.
The signature is not over these bytes but over a JWT made from them (`signing_payload`), so only
a block in canonical form has a single link; see `Delegation.canonical`.
Source: UCAN 0.9.1 as `ipld/dag-ucan` writes it.
"""

import re
from binascii import b2a_base64
from functools import lru_cache
from typing import Any, Final, cast

from taijitu.ipld import dagcbor, dagjson
from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.ucan import principal, signature

VERSION: Final = "0.9.1"
DELEGATION_SIZE_MAX: Final = 262_144
"""Bytes of one UCAN block."""
CAPABILITIES_MAX: Final = 512
"""Capabilities in one UCAN."""
PROOFS_MAX: Final = 1_024
"""Proofs that one UCAN names."""
TIME_MAX: Final = 2**53 - 1
"""Seconds, and their negative: what a JavaScript peer can hold."""

_IS_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_IS_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_REQUIRED: Final = 7
"""Keys of every UCAN: v, iss, aud, s, att, prf, exp."""
_OPTIONAL: Final = ("fct", "nbf", "nnc")
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_WHOLE_FLOAT: Final = re.compile(rb"\xfb[\x00\x3f-\x43\x80\xbf-\xc3]")
"""How a float begins that is whole and that JavaScript holds exactly: 0 … 2**53, and negative.
(Where it is only part of a digest or a signature, a second look costs a little.)"""
_LINK_PREFIX: Final = b"\x01\x71\x12\x20"
"""Version 1, DAG-CBOR, sha2-256: how every UCAN is named."""


class InvalidDelegation(ValueError):
    """This block is not a UCAN, or one larger than we read."""


class Capability(Record):
    """One thing delegated: an ability over a resource, within caveats."""

    can: str
    """The ability, in lower case: `store/add`, `store/*`, `*`."""
    resource: str
    """What the wire calls `with`: a URI, mostly the DID of a space."""
    fields: dict[str, Any]
    """The whole map, in the order of its block: `nb`, `can`, `with`, and whatever else."""

    @property
    def nb(self) -> Any:
        """The caveats (normally a map), or None."""
        return self.fields.get("nb")


class Delegation(Record, eq=False):
    """A UCAN: what a block says, the block itself, and its link."""

    link: Link
    data: bytes
    issuer: str
    audience: str
    capabilities: tuple[Capability, ...]
    proofs: tuple[Link, ...]
    expiration: int | None
    """Seconds since 1970; None is never. At this second it is already over."""
    not_before: int | None
    """Seconds since 1970. At this second it is still too early."""
    nonce: str | None
    facts: tuple[dict[str, Any], ...]
    version: str
    signature: bytes
    """As `signature.decode` reads it."""
    canonical: bool
    """False for a second spelling of what some other block says under the same signature.
    Such a block would carry a revoked delegation past its revocation, so it proves nothing."""


def decode(link: Link, data: bytes) -> Delegation:
    """The UCAN in a DAG-CBOR block. Raises `InvalidDelegation`."""
    if len(data) > DELEGATION_SIZE_MAX:
        raise InvalidDelegation(f"a UCAN of {len(data)} bytes is larger than we read")
    try:
        block = dagcbor.decode(data)
    except dagcbor.DecodeError as error:
        raise InvalidDelegation(f"not a UCAN: {error}") from error
    if block.__class__ is not dict:
        raise InvalidDelegation("not a UCAN: not a map")
    return read(link, data, cast("dict[str, Any]", block), _is_canonical(link, block, data))


def read(link: Link, data: bytes, block: dict[str, Any], canonical: bool) -> Delegation:
    """The UCAN that a decoded map describes. Raises `InvalidDelegation`."""
    get = block.get
    version: Any = get("v")
    if version.__class__ is not str or (version != VERSION and not _IS_VERSION.search(version)):
        raise InvalidDelegation("not a UCAN: 'v' must be a version")
    signed = get("s")
    if signed.__class__ is not bytes:
        raise InvalidDelegation("not a UCAN: 's' must be bytes")
    nonce = get("nnc")
    if nonce is not None and nonce.__class__ is not str:
        raise InvalidDelegation("not a UCAN: 'nnc' must be text")
    att: Any = get("att")
    capabilities = _capabilities(att)
    return Delegation(
        link,
        data,
        _principal(block, "iss"),
        _principal(block, "aud"),
        capabilities,
        _proofs(get("prf")),
        _expiration(block),
        _not_before(get("nbf")),
        cast("str | None", nonce),
        _facts(get("fct")) if "fct" in block else (),
        version,
        cast(bytes, signed),
        canonical and [each.fields for each in capabilities] == att,
    )


def encode(delegation: Delegation) -> bytes:
    """The block that says what `delegation` says; `delegation.data` itself if that is canonical."""
    block: dict[str, Any] = {
        "s": delegation.signature,
        "v": delegation.version,
        "att": [capability.fields for capability in delegation.capabilities],
        "aud": principal.from_did(delegation.audience),
        "exp": delegation.expiration,
        "iss": principal.from_did(delegation.issuer),
        "prf": list(delegation.proofs),
    }
    if delegation.facts:
        block["fct"] = list(delegation.facts)
    if delegation.not_before:
        block["nbf"] = delegation.not_before
    if delegation.nonce is not None:
        block["nnc"] = delegation.nonce
    return dagcbor.encode(block)


def signing_payload(delegation: Delegation) -> bytes:
    """The ASCII bytes that the signature is over: a JWT without its signature.

    Raises `InvalidSignature` if the algorithm is unknown, `EncodeError` if the content has no
    unambiguous JSON.
    """
    algorithm = signature.algorithm_of(delegation.signature)
    payload: dict[str, Any] = {
        "att": [capability.fields for capability in delegation.capabilities],
        "aud": delegation.audience,
        "exp": delegation.expiration,
        "iss": delegation.issuer,
        "prf": [str(proof) for proof in delegation.proofs],
    }
    if delegation.facts:
        payload["fct"] = list(delegation.facts)
    if delegation.not_before:
        payload["nbf"] = delegation.not_before
    if delegation.nonce:
        payload["nnc"] = delegation.nonce
    return _header(algorithm, delegation.version) + base64url(dagjson.encode(payload))


def base64url(data: bytes) -> bytes:
    """Base64 in the URL alphabet, without padding."""
    return b2a_base64(data, newline=False).rstrip(b"=").translate(_TO_URL)


@lru_cache(maxsize=64)
def _header(algorithm: str, version: str) -> bytes:
    """The first part of the JWT, with its dot."""
    return base64url(dagjson.encode({"alg": algorithm, "typ": "JWT", "ucv": version})) + b"."


def _principal(block: dict[str, Any], key: str) -> str:
    value: Any = block.get(key)
    if value.__class__ is not bytes:
        raise InvalidDelegation(f"not a UCAN: {key!r} must be a principal in bytes")
    try:
        return principal.to_did(value)
    except principal.InvalidDid as error:
        raise InvalidDelegation(f"not a UCAN: {key!r} is {error}") from error


def _capabilities(att: Any) -> tuple[Capability, ...]:
    if att.__class__ is not list:
        raise InvalidDelegation("not a UCAN: 'att' must be a list")
    if len(att) > CAPABILITIES_MAX:
        raise InvalidDelegation(f"a UCAN has at most {CAPABILITIES_MAX} capabilities")
    return tuple([capability(fields) for fields in att])


def capability(fields: Any) -> Capability:
    """The capability that a map in `att` describes. Raises `InvalidDelegation`."""
    if fields.__class__ is not dict:
        raise InvalidDelegation("not a UCAN: a capability must be a map")
    can, resource = fields.get("can"), fields.get("with")
    if can.__class__ is not str:
        raise InvalidDelegation("not a UCAN: 'can' must be text")
    if can != "*" and "/" not in can[1:-1]:
        raise InvalidDelegation(f"not a UCAN: {can[:80]!r} is not an ability")
    if resource.__class__ is not str:
        raise InvalidDelegation("not a UCAN: 'with' must be text")
    if not resource.startswith("did:") and not _IS_URI.match(resource):
        raise InvalidDelegation(f"not a UCAN: {resource[:80]!r} is not a URI")
    fields = _lowered(fields)
    return Capability(fields["can"], resource, fields)


def _lowered(fields: dict[str, Any]) -> dict[str, Any]:
    """The same capability with its ability in lower case; abilities know no case."""
    can = fields.get("can")
    if not isinstance(can, str) or (lowered := can.lower()) == can:
        return fields
    return fields | {"can": lowered}


def _proofs(prf: Any) -> tuple[Link, ...]:
    if prf.__class__ is not list:
        raise InvalidDelegation("not a UCAN: 'prf' must be a list")
    if len(prf) > PROOFS_MAX:
        raise InvalidDelegation(f"a UCAN names at most {PROOFS_MAX} proofs")
    for proof in prf:
        if proof.__class__ is not Link:
            raise InvalidDelegation("not a UCAN: a proof must be a link")
    return tuple(prf)


def _facts(fct: Any) -> tuple[dict[str, Any], ...]:
    if fct.__class__ is not list:
        raise InvalidDelegation("not a UCAN: 'fct' must be a list")
    for fact in fct:
        if fact.__class__ is not dict:
            raise InvalidDelegation("not a UCAN: a fact must be a map")
    return tuple(fct)


def _expiration(block: dict[str, Any]) -> int | None:
    value = block.get("exp")
    if value is None and "exp" in block:
        return None
    return _seconds(value, "exp")


def _not_before(value: Any) -> int | None:
    return None if value is None else _seconds(value, "nbf")


def _seconds(value: Any, key: str) -> int:
    if value.__class__ is float and value.is_integer():
        value = int(value)
    if value.__class__ is not int or not -TIME_MAX <= value <= TIME_MAX:
        raise InvalidDelegation(f"not a UCAN: {key!r} must be whole seconds")
    return value


def _is_canonical(link: Link, block: dict[str, Any], data: bytes) -> bool:
    """Whether no other link could say the same under the same signature.

    What the signature does not cover: how the block is hashed, keys we do not know, what is
    present but empty, whether a whole number is integer or float. (And letter case of abilities,
    see `read`.)
    """
    known = _REQUIRED
    for key in _OPTIONAL:
        if key in block:
            if not block[key]:
                return False
            known += 1
    if len(block) != known or link.data[:4] != _LINK_PREFIX:
        return False
    return _WHOLE_FLOAT.search(data) is None or not _has_whole_float(block)


def _has_whole_float(block: dict[str, Any]) -> bool:
    waiting: list[Any] = [block]
    for value in waiting:
        kind = value.__class__
        if kind is dict:
            waiting += value.values()
        elif kind is list:
            waiting += value
        elif kind is float and value.is_integer() and abs(value) <= dagjson.SAFE_INTEGER_MAX:
            return True
    return False
