"""Issuing: new delegations, and invocations, which are delegations to the executor.

Law: nothing is drawn by chance and no clock is read, so the same arguments make the same block,
and what is issued here is canonical or is not issued.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from taijitu.ipld.cid import Link, link_to
from taijitu.ucan import signature
from taijitu.ucan.delegation import (
    VERSION,
    Delegation,
    InvalidDelegation,
    capability,
    decode,
    encode,
    signing_payload,
)
from taijitu.ucan.signer import Signer

_UNSIGNED: Final = signature.encode(signature.EDDSA, bytes(signature.ED25519_SIGNATURE_SIZE))
_NOWHERE: Final = link_to(b"")


def delegate(
    issuer: Signer,
    audience: str,
    capabilities: Sequence[Mapping[str, object]],
    *,
    expiration: int | None,
    proofs: Iterable[Link] = (),
    facts: Iterable[Mapping[str, object]] = (),
    not_before: int | None = None,
    nonce: str | None = None,
) -> Delegation:
    """A new UCAN, signed by `issuer`.

    `capabilities` are maps with `can`, `with` and perhaps `nb`. Times are seconds since 1970;
    `expiration=None` is never. Raises `InvalidDelegation` (or `InvalidDid`, `EncodeError`) for
    what no reader would accept.
    """
    draft = Delegation(
        link=_NOWHERE,
        data=b"",
        issuer=issuer.did,
        audience=audience,
        capabilities=tuple(capability(dict(fields)) for fields in capabilities),
        proofs=tuple(proofs),
        expiration=expiration,
        not_before=not_before or None,
        nonce=nonce or None,  # absent and empty would say the same
        facts=tuple(dict(fact) for fact in facts),
        version=VERSION,
        signature=_UNSIGNED,
        canonical=True,
    )
    return _complete(draft, issuer.sign(signing_payload(draft)))


def absent(
    issuer: str,
    audience: str,
    capabilities: Sequence[Mapping[str, object]],
    *,
    expiration: int | None,
    proofs: Iterable[Link] = (),
    facts: Iterable[Mapping[str, object]] = (),
) -> Delegation:
    """A UCAN by someone without a key, as an account is.

    Only a `ucan/attest` by the service, standing beside it, makes it valid. Raises as `delegate`.
    """
    draft = Delegation(
        link=_NOWHERE,
        data=b"",
        issuer=issuer,
        audience=audience,
        capabilities=tuple(capability(dict(fields)) for fields in capabilities),
        proofs=tuple(proofs),
        expiration=expiration,
        not_before=None,
        nonce=None,
        facts=tuple(dict(fact) for fact in facts),
        version=VERSION,
        signature=signature.ABSENT,
        canonical=True,
    )
    return _complete(draft, signature.ABSENT)


def _complete(draft: Delegation, signed: bytes) -> Delegation:
    data = encode(replace(draft, signature=signed))
    issued = decode(link_to(data), data)
    if not issued.canonical:
        raise InvalidDelegation("whole numbers in a UCAN are written as integers")
    return issued
