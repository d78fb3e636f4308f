"""The words of refusal: what peers and their users read when something is not authorised.

Law: key phrases are those of the JavaScript validator, because people search for them.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from taijitu.ipld.cid import Link
from taijitu.ucan.capability import Claim
from taijitu.ucan.delegation import Capability, Delegation
from taijitu.ucan.failure import Failure, quoted
from taijitu.ucan.schema import Mismatch

_SELF_ISSUED = "Capability can not be (self) issued by '{}'"
_ROTATED = "The issuer may have replaced its key since: then this has to be issued anew"
_NOT_CANONICAL = (
    "It is not written in canonical form, so it could be written again to escape revocation"
)


def expired(proof: Delegation, at: int) -> Failure:
    return Failure(lambda: f"Proof {proof.link} has expired on {date_text(at)}")


def too_early(proof: Delegation, at: int) -> Failure:
    return Failure(lambda: f"Proof {proof.link} is not valid before {date_text(at)}")


def not_signed(proof: Delegation, key: str) -> Failure:
    if key == proof.issuer:
        return Failure(lambda: f"Proof {proof.link} does not has a valid signature from {key}")
    return Failure(
        lambda: (
            f"Proof {proof.link} issued by {proof.issuer} does not has a valid signature from {key}"
        ),
        (Failure(_ROTATED),),
    )


def not_canonical(proof: Delegation) -> Failure:
    return Failure(
        lambda: f"Proof {proof.link} does not has a valid signature from {proof.issuer}",
        (Failure(_NOT_CANONICAL),),
    )


def revoked(proof: Delegation) -> Failure:
    return Failure(lambda: f"Proof {proof.link} has been revoked")


def no_key(did: str) -> Failure:
    return Failure(f"Unable to resolve '{did}' key")


def invalid_session(proof: Delegation, causes: Iterable[Failure]) -> Failure:
    return Failure(
        lambda: f"Delegation {proof.link} issued by {proof.issuer} has an invalid session",
        (not_authorized("ucan/attest", causes),),
    )


def absent(link: Link) -> Failure:
    return Failure(lambda: f"Linked proof '{link}' is not included and could not be resolved")


def unreadable(link: Link, reason: str) -> Failure:
    return Failure(lambda: f"Linked proof '{link}' can not be read: {reason}")


def misaligned(proof: Delegation, issuer: str) -> Failure:
    return Failure(f"Delegation audience is '{proof.audience}' instead of '{issuer}'")


def from_proof(link: Link, cause: Failure) -> Failure:
    return Failure(lambda: f"Capability can not be derived from prf:{link} because:", (cause,))


def escalates(claim: Claim, violation: str) -> Failure:
    return _can_not_derive(claim, Failure(f"Constraint violation: {violation}"))


def malformed(capability: Capability, error: Mismatch, claim: Claim | None) -> Failure:
    """`claim` is what it was held against; None for the capability of an invocation itself."""
    return _can_not_derive(
        claim or capability,
        Failure(
            lambda: (
                f"Encountered malformed '{capability.can}' capability: {quoted(capability.fields)}"
            ),
            (error.failure,),
        ),
    )


def invalid_claim(claim: Claim, causes: list[Failure], unknown: list[Capability]) -> Failure:
    """No proof allows this claim, for all these reasons."""
    return Failure(
        lambda: f"Capability {claim} is not authorized because:",
        (
            Failure(_SELF_ISSUED.format(claim.delegation.issuer)),
            *(causes or [Failure("Delegated capability not found")]),
            *_unknown(unknown),
        ),
    )


def not_authorized(
    can: str, causes: Iterable[Failure], unknown: Iterable[Capability] = ()
) -> Failure:
    """The root of the tree."""
    told = tuple(causes) or (Failure("No matching delegated capability found"),)
    head = f"Claim {quoted({'can': can})} is not authorized"
    return Failure(head, (*told, *_unknown(unknown)))


def too_much(limit: str) -> Failure:
    return Failure(f"The proofs can not be checked: {limit}")


def date_text(seconds: int) -> str:
    """A time as a JavaScript `Date` in UTC is printed."""
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return "Invalid Date"
    return at.strftime("%a %b %d %Y %H:%M:%S") + " GMT+0000 (Coordinated Universal Time)"


def _can_not_derive(claim: Claim | Capability, cause: Failure) -> Failure:
    def head() -> str:
        shown = str(claim) if isinstance(claim, Claim) else quoted({"can": claim.can})
        return f"Can not derive {shown} from delegated capabilities:"

    return Failure(head, (cause,))


def _unknown(capabilities: Iterable[Capability]) -> tuple[Failure, ...]:
    shown = tuple(_shown(capability) for capability in capabilities)
    return (Failure("Encountered unknown capabilities", shown),) if shown else ()


def _shown(capability: Capability) -> Failure:
    return Failure(lambda: quoted(capability.fields))
