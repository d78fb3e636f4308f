"""Authorisation: does this invocation follow, through delegations, from who owns the resource?

    claim ── issued by the owner of its resource ──> authorised
      └──── else some proof of it, valid and aligned, allows a claim that is authorised in turn

Law: the work is bounded however the proofs are arranged. Each UCAN is read once, each signature
verified once, each claim refused once, and all steps are counted. Only the proofs that could
help are verified, unless the answer is no: then all are, to say why.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeAlias, TypeVar

from taijitu.ipld import dagcbor
from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.ucan import reasons
from taijitu.ucan.bundle import PROOF_DEPTH_MAX, Bundle
from taijitu.ucan.capability import Ability, Claim, Unknown, equal_with
from taijitu.ucan.delegation import Capability, Delegation, InvalidDelegation
from taijitu.ucan.failure import Failure, told
from taijitu.ucan.schema import Mismatch
from taijitu.ucan.validity import Authority, Validity

N = TypeVar("N", bound=Record)

UCANS_MAX: Final = 256
"""UCANs read for one invocation."""
SESSIONS_NESTED_MAX: Final = 4
"""Attestations whose own proofs need an attestation, and so on."""
STEPS_MAX: Final = 15_000
"""Steps of one authorisation: a capability looked at is one for each KiB of what it is compared
with, a signature is `validity.SIGNATURE_STEPS`."""

Revokers: TypeAlias = Callable[[Link], Iterable[str]]
"""The DIDs that have revoked a UCAN, whoever they are: relevance is decided here."""
Chain: TypeAlias = tuple[Delegation, ...]
"""From what claims to the delegation by the owner of the resource."""


class Authorization(Record, Generic[N], eq=False):
    """Yes: this is allowed, and by this chain."""

    ability: Ability[N]
    resource: str
    nb: N
    chain: Chain
    """The invocation first, then the proofs that were used, the owner's delegation last."""


class Unauthorized(Record):
    """No, and why."""

    message: str
    name: str = "Unauthorized"


def nobody(_: Link) -> Iterable[str]:
    """Nothing has been revoked."""
    return ()


def authorize(
    invocation: Delegation,
    ability: Ability[N],
    bundle: Bundle,
    *,
    now: int,
    authority: Authority,
    revokers: Revokers = nobody,
) -> Authorization[N] | Unauthorized:
    """Whether `invocation` may do what `ability` defines.

    `bundle` holds the proofs; `now` is in seconds since 1970. The audience of the invocation is
    not looked at: that is for who executes it. Raises nothing.
    """
    trial = _Trial(invocation, bundle, now=now, authority=authority, revokers=revokers)
    try:
        return trial.judge(ability)
    except _TooMuch as error:
        refusal = reasons.not_authorized(ability.can, (reasons.too_much(str(error)),))
        return Unauthorized(told(refusal))


class _TooMuch(Exception):
    """A limit of the work was met."""


class _Proofs(Record, eq=False):
    """The proofs that a delegation names: those addressed to its issuer, and what is wrong else."""

    aligned: tuple[Delegation, ...]
    broken: tuple[Failure, ...]


class _Selection(Record, eq=False):
    """What one delegated capability gives to a claim: new claims, or errors, or nothing at all."""

    claims: list[Claim]
    errors: list[Failure]

    def weigh(self, claim: Claim, allowed: Claim, violation: str | None) -> None:
        if violation is None:
            self.claims.append(allowed)
        else:
            self.errors.append(reasons.escalates(claim, violation))

    @property
    def is_unknown(self) -> bool:
        return not self.claims and not self.errors


class _Trial:
    """One authorisation, with all that it has found out so far."""

    def __init__(
        self,
        invocation: Delegation,
        bundle: Bundle,
        *,
        now: int,
        authority: Authority,
        revokers: Revokers,
    ) -> None:
        self._invocation = invocation
        self._bundle = bundle
        self._revokers = revokers
        self._steps = STEPS_MAX
        self._proofs: dict[Link, _Proofs] = {}
        self._refused: dict[tuple[bytes, str, str, bytes], Failure] = {}
        self._sessions = 0
        self._validity = Validity(
            invocation,
            bundle,
            now=now,
            authority=authority,
            spend=self._spend,
            prove=self._prove_attestation,
        )
        self._seen: set[Link] = set()

    def judge(self, ability: Ability[N]) -> Authorization[N] | Unauthorized:
        causes: list[Failure] = []
        unknown: list[Capability] = []
        invalid = self._validity.of(self._invocation, None, ())
        if invalid is not None:
            return _refuse(ability, [invalid], ())
        for capability in self._invocation.capabilities:
            try:
                claim = ability.match(capability, self._invocation)
            except Unknown:
                unknown.append(capability)
                continue
            except Mismatch as error:
                causes.append(reasons.malformed(capability, error, None))
                continue
            outcome = self._prove(claim, PROOF_DEPTH_MAX)
            if isinstance(outcome, Failure):
                causes.append(outcome)
            elif self._is_revoked(outcome):
                causes.append(reasons.revoked(self._invocation))
            else:
                return Authorization(ability, claim.resource, ability.nb.build(claim.nb), outcome)
        return _refuse(ability, causes, unknown)

    def _prove_attestation(self, claim: Claim) -> Chain | Failure | None:
        """The chain of an attestation, why there is none, or None if it has been revoked."""
        if self._sessions == SESSIONS_NESTED_MAX:
            raise _TooMuch(f"sessions are nested deeper than {SESSIONS_NESTED_MAX} levels")
        self._sessions += 1
        outcome = self._prove(claim, PROOF_DEPTH_MAX)
        self._sessions -= 1
        if not isinstance(outcome, Failure) and self._is_revoked(outcome):
            return None
        return outcome

    def _prove(self, claim: Claim, depth: int) -> Chain | Failure:
        """The chain from this claim to the owner, or why there is none."""
        delegation = claim.delegation
        if claim.resource == delegation.issuer:
            return (delegation,)
        if depth == 0:
            raise _TooMuch(f"they stand deeper than {PROOF_DEPTH_MAX} levels")
        key = None
        if depth < PROOF_DEPTH_MAX:  # what is claimed first is claimed only once
            key = (delegation.link.data, claim.can, claim.resource, dagcbor.encode(claim.nb))
            if (refused := self._refused.get(key)) is not None:
                return refused
        proofs = self._proofs_of(delegation)
        failed: list[Failure] = []
        revoked: list[Failure] = []
        for proof in proofs.aligned:
            for candidate in self._candidates(claim, proof, proofs.aligned):
                outcome = self._prove(candidate, depth - 1)
                if isinstance(outcome, Failure):
                    failed.append(outcome)
                elif self._is_revoked(outcome):
                    revoked.append(reasons.from_proof(proof.link, reasons.revoked(proof)))
                else:
                    return (delegation, *outcome)
        failure = self._explain(claim, proofs, failed, revoked)
        if key is not None:
            self._refused[key] = failure
        return failure

    def _candidates(
        self, claim: Claim, proof: Delegation, siblings: tuple[Delegation, ...]
    ) -> Iterable[Claim]:
        """What `proof` would allow, if it is valid; looked at first, as that is cheaper."""
        for capability in proof.capabilities:
            claims = self._select(claim, capability, proof).claims
            if claims and self._validity.of(proof, claim.delegation, siblings) is None:
                yield from claims

    def _explain(
        self, claim: Claim, proofs: _Proofs, failed: list[Failure], revoked: list[Failure]
    ) -> Failure:
        """Why none of these proofs allows the claim."""
        errors: list[Failure] = []
        invalid: list[Failure] = list(proofs.broken)
        unknown: list[Capability] = []
        for proof in proofs.aligned:
            fault = self._validity.of(proof, claim.delegation, proofs.aligned)
            if fault is not None:
                invalid.append(reasons.from_proof(proof.link, fault))
                continue
            for capability in proof.capabilities:
                selection = self._select(claim, capability, proof)
                errors.extend(selection.errors)
                if selection.is_unknown:
                    unknown.append(capability)
        return reasons.invalid_claim(claim, [*failed, *errors, *revoked, *invalid], unknown)

    def _select(self, claim: Claim, capability: Capability, proof: Delegation) -> _Selection:
        ability = claim.ability
        size = len(claim.delegation.data) + len(proof.data) + len(self._invocation.data)
        self._spend((1 + len(ability.sources)) * (1 + (size >> 10)))
        selection = _Selection([], [])
        _resolve(selection, claim, capability, proof)
        for source in ability.sources:
            _take(selection, source, claim, capability=capability, proof=proof)
        return selection

    def _proofs_of(self, delegation: Delegation) -> _Proofs:
        found = self._proofs.get(delegation.link)
        if found is not None:
            return found
        aligned: list[Delegation] = []
        broken: list[Failure] = []
        for link in dict.fromkeys(delegation.proofs):
            proof = self._view(link)
            if isinstance(proof, Failure):
                broken.append(reasons.from_proof(link, proof))
            elif proof.audience != delegation.issuer:
                fault = reasons.misaligned(proof, delegation.issuer)
                broken.append(reasons.from_proof(link, fault))
            else:
                aligned.append(proof)
        found = self._proofs[delegation.link] = _Proofs(tuple(aligned), tuple(broken))
        return found

    def _view(self, link: Link) -> Delegation | Failure:
        self._seen.add(link)
        if len(self._seen) > UCANS_MAX:
            raise _TooMuch(f"there are more than {UCANS_MAX} of them")
        if link not in self._bundle.blocks:
            return reasons.absent(link)
        try:
            return self._bundle.view(link)
        except InvalidDelegation as error:
            return reasons.unreadable(link, str(error))

    def _is_revoked(self, chain: Chain) -> bool:
        """Whether the first of the chain is revoked by someone who had a say in it.

        That is its issuer or audience, or those of any delegation that it derives from.
        """
        revokers = set(self._revokers(chain[0].link))
        return bool(revokers) and any(
            delegation.issuer in revokers or delegation.audience in revokers for delegation in chain
        )

    def _spend(self, steps: int) -> None:
        self._steps -= steps
        self._bundle.steps -= steps
        if self._steps < 0 or self._bundle.steps < 0:
            raise _TooMuch(f"that would take more than {STEPS_MAX} steps")


def _resolve(
    selection: _Selection, claim: Claim, capability: Capability, proof: Delegation
) -> None:
    """Select what the capability allows of the claim's own ability, wildcards included."""
    try:
        resolved = claim.ability.resolve(claim, capability, proof)
    except Unknown:
        return
    except Mismatch as error:
        selection.errors.append(reasons.malformed(capability, error, claim))
        return
    selection.weigh(claim, resolved, claim.ability.derives(claim, resolved))


def _take(
    selection: _Selection,
    source: Ability[Any],
    claim: Claim,
    *,
    capability: Capability,
    proof: Delegation,
) -> None:
    """Select the capability as it stands, if it is about an ability that the claim derives from."""
    try:
        matched = source.match(capability, proof)
    except Unknown:
        return
    except Mismatch as error:
        selection.errors.append(reasons.malformed(capability, error, claim))
        return
    selection.weigh(claim, matched, equal_with(claim, matched))


def _refuse(
    ability: Ability[Any], causes: Iterable[Failure], unknown: Iterable[Capability]
) -> Unauthorized:
    return Unauthorized(told(reasons.not_authorized(ability.can, causes, unknown)))
