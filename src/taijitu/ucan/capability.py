"""Abilities: what may be asked, over what, within which caveats, and what may allow it.

Law: a claim holds if it derives from what was delegated: the same ability (or a wildcard over
it), the same resource, caveats no wider. A rule answers None, or the words of the violation.
"""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeAlias, TypeVar

from taijitu.kernel.record import Record
from taijitu.ucan.delegation import Capability, Delegation
from taijitu.ucan.failure import quoted
from taijitu.ucan.schema import Fields, Mismatch, Reader, shown

N = TypeVar("N", bound=Record)

ANY_RESOURCE: Final = "ucan:*"
"""Everything that the issuer of a proof can itself prove."""
ANY_ABILITY: Final = "*"


class Claim(Record, eq=False):
    """A capability read by the schema of an ability, and the UCAN that it is claimed from."""

    ability: "Ability[Any]"
    resource: str
    nb: dict[str, Any]
    delegation: Delegation

    @property
    def can(self) -> str:
        return self.ability.can

    def __str__(self) -> str:
        claim: dict[str, Any] = {"can": self.can, "with": self.resource}
        return quoted(claim | {"nb": self.nb} if self.nb else claim)


Rule: TypeAlias = Callable[[Claim, Claim], str | None]


class Unknown(Exception):
    """The capability is about another ability."""


class Ability(Record, Generic[N], eq=False):
    """The definition of one ability."""

    can: str
    resource: Reader
    nb: Fields[N]
    derives: Rule
    sources: tuple["Ability[Any]", ...] = ()
    """Other abilities whose delegation, taken exactly, allows this one too over the same `with`."""

    def match(self, capability: Capability, delegation: Delegation) -> Claim:
        """The claim that a capability makes, taken exactly: no wildcards, nothing filled in.

        Raises `Unknown` if it is about something else, `Mismatch` if it is malformed.
        """
        if capability.can != self.can:
            raise Unknown
        resource = self.resource(capability.resource)
        nb = capability.nb
        return Claim(self, resource, self.nb.read({} if nb is None else nb), delegation)

    def resolve(self, claim: Claim, capability: Capability, delegation: Delegation) -> Claim:
        """What a delegated capability allows, seen from a claim: wildcards taken as claimed.

        Caveats that the delegation leaves open are the claim's. Raises as `match`.
        """
        if not covers(capability.can, self.can):
            raise Unknown
        resource = capability.resource
        if resource == ANY_RESOURCE:
            resource = claim.resource
        resource = self.resource(resource)
        nb = capability.nb
        if nb is None:
            return Claim(self, resource, claim.nb, delegation)
        if not isinstance(nb, dict):
            raise Mismatch(f"Expected value of type object instead got {shown(nb)}")
        return Claim(self, resource, self.nb.read(claim.nb | nb), delegation)


def covers(delegated: str, claimed: str) -> bool:
    """Whether an ability, perhaps with a wildcard, includes another: `store/*`, `*`."""
    if delegated in (claimed, ANY_ABILITY):
        return True
    return delegated.endswith("/*") and claimed.startswith(delegated[:-1])


def equal_with(claim: Claim, delegated: Claim) -> str | None:
    """The same resource."""
    if claim.resource == delegated.resource:
        return None
    return f"Can not derive {claim.can} with {claim.resource} from {delegated.resource}"


def equal(claimed: Any, delegated: Any, name: str) -> str | None:
    """The same value, unless the delegation leaves it open."""
    if delegated is None or delegated in (ANY_ABILITY, claimed):
        return None
    return (
        f"Constrain violation: {_spelled(claimed)} violates imposed {name} "
        f"constraint {_spelled(delegated)}"
    )


def equal_field(*names: str) -> Rule:
    """The same resource, and the same value in each of these caveats."""

    def rule(claim: Claim, delegated: Claim) -> str | None:
        violation = equal_with(claim, delegated)
        for name in names:
            violation = violation or equal(claim.nb.get(name), delegated.nb.get(name), name)
        return violation

    return rule


def same_resource(claim: Claim, delegated: Claim) -> str | None:
    """The same resource, in the words that the link and blob rules use."""
    if claim.resource == delegated.resource:
        return None
    return f"Expected 'with: \"{delegated.resource}\"' instead got '{claim.resource}'"


def equal_link(claim: Claim, delegated: Claim) -> str | None:
    """The same resource and the same `link`."""
    if violation := same_resource(claim, delegated):
        return violation
    linked = delegated.nb.get("link")
    if linked is None or claim.nb.get("link") == linked:
        return None
    return f"Link {_spelled(claim.nb.get('link'))} violates imposed {linked} constraint."


def equal_link_and_size(claim: Claim, delegated: Claim) -> str | None:
    """The same resource and `link`; no larger `size`."""
    return equal_link(claim, delegated) or _no_larger(
        claim.nb.get("size"), delegated.nb.get("size")
    )


def equal_blob(claim: Claim, delegated: Claim) -> str | None:
    """The same resource, the same `blob.digest`; no larger `blob.size`."""
    if violation := same_resource(claim, delegated):
        return violation
    claimed, allowed = claim.nb.get("blob", {}), delegated.nb.get("blob", {})
    digest = allowed.get("digest")
    if digest is not None and claimed.get("digest") != digest:
        return (
            f"Link {_spelled(claimed.get('digest'))} violates imposed "
            f"{_spelled(digest)} constraint."
        )
    return _no_larger(claimed.get("size"), allowed.get("size"))


def default(claim: Claim, delegated: Claim) -> str | None:
    """The same resource, or one under a delegated prefix `…*`; every delegated caveat equal."""
    prefix = delegated.resource
    if prefix.endswith("*"):
        if not claim.resource.startswith(prefix[:-1]):
            return f"Resource {claim.resource} does not match delegated {prefix}"
    elif claim.resource != prefix:
        return f"Resource {claim.resource} is not contained by {prefix}"
    for name, value in delegated.nb.items():
        if claim.nb.get(name) != value:
            return f"{name}: {_spelled(claim.nb.get(name))} violates {_spelled(value)}"
    return None


def _no_larger(claimed: Any, delegated: Any) -> str | None:
    if claimed is None or delegated is None or claimed <= delegated:
        return None
    return f"Size constraint violation: {claimed} > {delegated}"


def _spelled(value: Any) -> str:
    """A value as JavaScript's `String` spells it, more or less."""
    if value is None:
        return "undefined"
    if isinstance(value, list):
        return ",".join([_spelled(item) for item in value])  # type: ignore[misc]
    return value if isinstance(value, str) else shown(value)
