"""Validity of one UCAN: is it in time, and did its issuer really issue it?

    did:key               its own signature
    the service           a signature by the service's key
    anyone else           a session: the service attests this very block (`ucan/attest`);
                          or a signature by a key that is configured for that DID

Law: an attestation stands beside what it attests, among the proofs of the same delegation, and
is itself signed by a key: sessions do not vouch for sessions. Each answer is found once.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from taijitu.ipld.cid import Link
from taijitu.ipld.dagcbor import EncodeError
from taijitu.kernel.record import Record
from taijitu.ucan import principal, reasons, signature, verifier
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.capability import Ability, Claim, Unknown, default
from taijitu.ucan.delegation import Delegation, signing_payload
from taijitu.ucan.failure import Failure
from taijitu.ucan.schema import Fields, Mismatch, link_that_is, shown, text

SIGNATURE_STEPS: Final = 20
"""What verifying a signature costs, in the steps that authorisation counts."""
ATTEST: Final = "ucan/attest"

_RAW: Final = b"\x01\x55"


class Authority(Record):
    """Whose word is taken: the service, and the keys of those who are not keys themselves."""

    did: str
    """The service, as it issues: mostly a `did:web`."""
    key_did: str
    """The `did:key` that it signs with."""
    past: tuple[str, ...] = ()
    """The `did:key`s that it signed with before: what they signed stays valid."""
    attestors: frozenset[str] = frozenset()
    """Others whose `ucan/attest` is taken as if the service had made it."""
    keys: Mapping[str, tuple[str, ...]] = {}
    """The `did:key`s of other DIDs that are not keys."""


class Attestation(Record):
    """The caveats of `ucan/attest`: which delegation is attested."""

    proof: Link


class Validity:
    """The verdicts on the UCANs of one authorisation."""

    def __init__(
        self,
        invocation: Delegation,
        bundle: Bundle,
        *,
        now: int,
        authority: Authority,
        spend: Callable[[int], None],
        prove: Callable[[Claim], tuple[Delegation, ...] | Failure | None],
    ) -> None:
        """`spend` counts steps and may raise; `prove` authorises the claim of an attestation."""
        self._invocation = invocation
        self._now = now
        self._authority = authority
        self._bundle = bundle
        self._spend = spend
        self._prove = prove
        self._verdicts: dict[tuple[bytes, bytes], Failure | None] = {}

    def of(
        self, proof: Delegation, owner: Delegation | None, siblings: tuple[Delegation, ...]
    ) -> Failure | None:
        """What is wrong with `proof`, or None.

        `siblings` are the proofs that `owner` names beside it; without, no session is looked for.
        """
        key = (proof.link.data, owner.link.data if owner is not None else b"")
        if key in self._verdicts:
            return self._verdicts[key]
        verdict = self._check_time(proof) or self._check_issuer(proof, siblings)
        self._verdicts[key] = verdict
        return verdict

    def _check_time(self, proof: Delegation) -> Failure | None:
        if proof.expiration is not None and proof.expiration <= self._now:
            return reasons.expired(proof, proof.expiration)
        if proof.not_before is not None and self._now <= proof.not_before:
            return reasons.too_early(proof, proof.not_before)
        return None

    def _check_issuer(self, proof: Delegation, siblings: tuple[Delegation, ...]) -> Failure | None:
        issuer = proof.issuer
        if not proof.canonical:
            is_jwt = proof.link.data.startswith(_RAW)
            return reasons.not_signed(proof, issuer) if is_jwt else reasons.not_canonical(proof)
        if principal.is_key(issuer):
            return self._check_signature(proof, (issuer,))
        if issuer == self._authority.did:
            keys = (self._authority.key_did, *self._authority.past)
            return self._check_signature(proof, keys)
        failed: list[Failure] = []
        if self._has_session(proof, siblings, failed):
            return None
        if failed:
            return reasons.invalid_session(proof, failed)
        keys = self._authority.keys.get(issuer, ())
        return self._check_signature(proof, keys) if keys else reasons.no_key(issuer)

    def _has_session(
        self, proof: Delegation, siblings: Iterable[Delegation], failed: list[Failure]
    ) -> bool:
        """Whether some sibling attests `proof`; those that do without authority go to `failed`."""
        attesting = Ability(
            ATTEST,
            self._read_attestor,
            Fields(Attestation, {"proof": link_that_is(proof.link)}),
            default,
        )
        for sibling in siblings:
            capabilities = sibling.capabilities
            if sibling.link == proof.link or not capabilities or capabilities[0].can != ATTEST:
                continue
            if self.of(sibling, None, ()) is not None:
                continue
            for capability in capabilities:
                self._spend(1)
                try:
                    claim = attesting.match(capability, sibling)
                except (Unknown, Mismatch):
                    continue
                outcome = self._prove(claim)
                if isinstance(outcome, Failure):
                    failed.append(outcome)
                elif outcome is not None:
                    return True
        return False

    def _read_attestor(self, value: object) -> str:
        found = text(value)
        if found != self._authority.did and found not in self._authority.attestors:
            raise Mismatch(f'Expected literal "{self._authority.did}" instead got {shown(found)}')
        return found

    def _check_signature(self, proof: Delegation, keys: tuple[str, ...]) -> Failure | None:
        """None if any of these `did:key`s has signed."""
        if self._is_remembered(proof, keys):
            return None
        failure: Failure | None = None
        for key in keys:
            if self._is_signed(proof, key):
                return None
            failure = failure or reasons.not_signed(proof, key)
        return failure

    def _is_remembered(self, proof: Delegation, keys: tuple[str, ...]) -> bool:
        remembered = self._bundle.remembered
        known = remembered.recall(proof.link) if remembered is not None else None
        return known is not None and known[1] in keys and known[0] == proof

    def _is_signed(self, proof: Delegation, key: str) -> bool:
        bundle = self._bundle
        known = bundle.signed.get((proof.link.data, key))
        if known is not None:
            return known
        remembered = bundle.remembered
        self._spend(SIGNATURE_STEPS)
        signed = bundle.signed[proof.link.data, key] = _verify(proof, key)
        if signed and remembered is not None and proof.link != self._invocation.link:
            remembered.keep(proof, key)
        return signed


def _verify(proof: Delegation, key: str) -> bool:
    try:
        payload = signing_payload(proof)
    except (signature.InvalidSignature, EncodeError):
        return False
    return verifier.verify(principal.from_did(key), payload, proof.signature)
