"""Proofs arranged to cost more than they are worth. Costs are counted, not timed."""

from collections.abc import Callable
from typing import Any

import pytest

from taijitu.protocols.capabilities import STORE_ADD
from taijitu.ucan import validity, verifier
from taijitu.ucan.authorize import STEPS_MAX, UCANS_MAX, Authorization, authorize
from taijitu.ucan.bundle import PROOF_DEPTH_MAX
from taijitu.ucan.bundle import STEPS_MAX as BUNDLE_STEPS_MAX
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.failure import FAILURE_TEXT_MAX
from taijitu.ucan.issue import absent
from taijitu.ucan.remembered import Remembered
from taijitu.ucan.validity import Authority
from unit.ucan.people import (
    account,
    alice,
    ask,
    authority,
    bob,
    bundle,
    cap,
    delegate,
    grant,
    is_allowed,
    mallory,
    now,
    refusal,
    service,
    space,
    store_add,
)


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The payloads whose signatures were really looked at."""
    seen: list[bytes] = []
    real: Callable[[bytes, bytes, bytes], bool] = verifier.verify

    def counting(key: bytes, payload: bytes, varsig: bytes) -> bool:
        seen.append(payload)
        return real(key, payload, varsig)

    monkeypatch.setattr(validity.verifier, "verify", counting)
    return seen


def diamond(levels: int, *, rooted: bool) -> tuple[Delegation, list[Delegation]]:
    """Two proofs on each level, both of which lead to both of the next: 2**levels paths."""
    owner = space if rooted else mallory
    above = [grant(owner, alice, cap("*"), nonce=str(side)) for side in range(2)]
    proofs = list(above)
    for level in range(1, levels):
        above = [
            grant(alice, alice, cap("*"), proofs=above, nonce=f"{level}{side}") for side in range(2)
        ]
        proofs += above
    return ask(alice, proofs=above), proofs


def test_a_hostile_diamond_is_refused_with_one_look_at_each_proof(verified: list[bytes]) -> None:
    """2**10 paths in 20 UCANs; each is verified once and each claim refused once."""
    asked, proofs = diamond(10, rooted=False)
    text = refusal(asked, *proofs)
    assert len(verified) == 21
    assert len(text) <= FAILURE_TEXT_MAX + 2


def test_a_diamond_that_leads_somewhere_is_allowed(verified: list[bytes]) -> None:
    asked, proofs = diamond(10, rooted=True)
    assert is_allowed(asked, *proofs)
    assert len(verified) == 11, "only the proofs of the first path"


def test_a_diamond_of_accounts_is_no_dearer(verified: list[bytes]) -> None:
    """Every level is a session: two unsigned delegations and their attestations."""
    above: list[Delegation] = []
    proofs: list[Delegation] = []
    for level in range(10):
        links = [proof.link for proof in above]
        sides = [
            absent(
                account,
                account if level < 9 else alice.did,
                [cap("*")],
                expiration=None,
                proofs=links,
                facts=[{"side": side}],
            )
            for side in range(2)
        ]
        audience = account if level < 9 else alice.did
        above = sides + [
            delegate(
                service,
                audience,
                [cap("ucan/attest", service.did, proof=side.link)],
                expiration=None,
            )
            for side in sides
        ]
        proofs += above
    text = refusal(ask(alice, proofs=above), *proofs)
    assert len(verified) == 21
    assert len(text) <= FAILURE_TEXT_MAX + 2


def test_caveats_that_differ_on_each_path_do_not_multiply() -> None:
    """A size that each proof sets anew makes every claim another one, but not every path."""
    above: list[Delegation] = []
    proofs: list[Delegation] = []
    for level in range(20):
        owner = mallory if level == 0 else alice
        above = [
            grant(owner, alice, cap("store/add", size=1_000 - 2 * level - side), proofs=above)
            for side in range(2)
        ]
        proofs += above
    assert not is_allowed(ask(alice, store_add(1), above), *proofs)


def test_caveats_that_each_path_combines_anew_are_counted() -> None:
    """One side of each level sets one field, the other another: claims differ by path."""
    above: list[Delegation] = []
    proofs: list[Delegation] = []
    for level in range(40):
        owner = mallory if level == 0 else alice
        sides: list[dict[str, Any]] = [{"cursor": str(level)}, {"size": level}, {}]
        above = [
            grant(owner, alice, cap("store/list", **side), proofs=above, nonce=f"{level}{n}")
            for n, side in enumerate(sides)
        ]
        proofs += above
    text = refusal(ask(alice, cap("store/list"), above), *proofs)
    assert f"more than {STEPS_MAX} steps" in text


def chain(length: int) -> list[Delegation]:
    links = [grant(space, alice, cap("*"))]
    while len(links) < length:
        links.append(grant(alice, alice, cap("*"), proofs=[links[-1]]))
    return links


def test_proofs_may_stand_deep_but_not_deeper() -> None:
    proofs = chain(PROOF_DEPTH_MAX + 1)
    assert is_allowed(ask(alice, proofs=[proofs[PROOF_DEPTH_MAX - 1]]), *proofs)
    text = refusal(ask(alice, proofs=[proofs[PROOF_DEPTH_MAX]]), *proofs)
    assert f"they stand deeper than {PROOF_DEPTH_MAX} levels" in text


def test_proofs_may_be_many_but_not_more() -> None:
    good = grant(space, alice, cap("*"))
    others = [grant(mallory, alice, cap("*"), nonce=str(n)) for n in range(UCANS_MAX)]
    few = others[: UCANS_MAX - 1]
    assert is_allowed(ask(alice, proofs=[*few, good]), *few, good)
    assert f"more than {UCANS_MAX} of them" in refusal(
        ask(alice, proofs=[*others, good]), *others, good
    )


def test_many_useless_capabilities_are_not_compared_for_ever(verified: list[bytes]) -> None:
    """A hundred proofs with hundreds of malformed capabilities each."""
    useless = [
        grant(alice, alice, *[cap("store/add", size="no number")] * 400, nonce=str(n))
        for n in range(30)
    ]
    text = refusal(ask(alice, proofs=useless), *useless)
    assert f"more than {STEPS_MAX} steps" in text
    assert len(verified) == 1, "none of them could help, so none was verified"


def test_the_work_of_a_whole_message_is_counted() -> None:
    proof = grant(mallory, alice, cap("*"))
    given = bundle(proof)
    given.steps = 100
    verdicts = [
        authorize(
            ask(alice, proofs=[proof], nonce=str(n)),
            STORE_ADD,
            given,
            now=now,
            authority=authority,
        )
        for n in range(9)
    ]
    assert not any(isinstance(each, Authorization) for each in verdicts)
    assert "steps" in verdicts[-1].message  # type: ignore[union-attr]
    assert bundle().steps == BUNDLE_STEPS_MAX


def test_sessions_within_sessions_are_limited() -> None:
    """Each attestation is delegated by way of an account, which needs an attestation …"""
    may = delegate(service, account, [cap("ucan/*", service.did)], expiration=None)
    proofs = [may]
    beside: list[Delegation] = [may]
    for level in range(6):
        unsigned = absent(
            account,
            bob.did,
            [cap("ucan/*", service.did)],
            expiration=None,
            proofs=[may.link],
            facts=[{"level": level}],
        )
        attestation = grant(
            bob,
            bob,
            cap("ucan/attest", service.did, proof=unsigned.link),
            proofs=beside,
        )
        beside = [unsigned, attestation]
        proofs += beside
    asked = ask(bob, cap("ucan/conclude", service.did, receipt=may.link), proofs=beside)
    assert "sessions are nested deeper" in refusal(asked, *proofs)


def test_the_text_of_a_refusal_is_cut() -> None:
    long = grant(space, alice, cap("store/add", note="x" * 100_000, size="no number"))
    text = refusal(ask(alice, proofs=[long]), long)
    assert len(text) <= FAILURE_TEXT_MAX + 2
    assert "Encountered malformed" in text


def test_an_empty_invocation_is_refused() -> None:
    empty = delegate(alice, service.did, [], expiration=None)
    found = authorize(empty, STORE_ADD, bundle(), now=now, authority=authority)
    assert not isinstance(found, Authorization)
    assert "No matching delegated capability found" in found.message


def test_a_known_delegation_is_not_verified_again(verified: list[bytes]) -> None:
    remembered = Remembered()
    proof = grant(space, alice, cap("*"))
    for n in range(3):
        assert is_allowed(ask(alice, proofs=[proof], nonce=str(n)), proof, remembered=remembered)
    assert len(verified) == 4, "three invocations, one proof"
    assert len(remembered) == 1


def test_an_invocation_is_not_remembered(verified: list[bytes]) -> None:
    remembered = Remembered()
    asked = ask(space)
    for _ in range(2):
        assert is_allowed(asked, remembered=remembered)
    assert (len(verified), len(remembered)) == (2, 0)


def test_only_signatures_are_remembered() -> None:
    """Not time, not revocation, not presence, and not who it was good for."""
    remembered = Remembered()
    proof = grant(space, alice, cap("*"), expiration=now + 5)
    asked = ask(alice, proofs=[proof])
    assert is_allowed(asked, proof, remembered=remembered)
    assert not is_allowed(asked, proof, remembered=remembered, now=now + 5)
    assert not is_allowed(asked, proof, remembered=remembered, revokers=lambda _: [space.did])
    assert not is_allowed(asked, remembered=remembered)
    assert not is_allowed(ask(mallory, proofs=[proof]), proof, remembered=remembered)


def test_a_bad_signature_is_not_remembered() -> None:
    remembered = Remembered()
    forged = grant(mallory.under(service.did), alice, cap("*", service.did))
    asked = ask(alice, cap("ucan/conclude", service.did, receipt=forged.link), [forged])
    assert not is_allowed(asked, forged, remembered=remembered)
    assert len(remembered) == 0


def test_a_replaced_key_is_not_good_any_more() -> None:
    remembered = Remembered()
    proof = grant(service, alice, cap("*", service.did))
    asked = ask(alice, cap("ucan/conclude", service.did, receipt=proof.link), [proof])
    assert is_allowed(asked, proof, remembered=remembered)
    replaced = Authority(service.did, bob.did)
    assert not is_allowed(asked, proof, remembered=remembered, authority=replaced)


def test_what_was_not_met_for_longest_is_forgotten_first() -> None:
    remembered = Remembered(2)
    one, two, three = (grant(space, alice, cap("*"), nonce=str(n)) for n in range(3))
    remembered.keep(one, space.did)
    remembered.keep(two, space.did)
    assert remembered.recall(one.link) == (one, space.did)
    remembered.keep(three, space.did)
    assert remembered.recall(two.link) is None
    assert remembered.recall(one.link) is not None
    assert len(remembered) == 2


def test_a_large_delegation_is_not_remembered() -> None:
    remembered = Remembered()
    large = grant(space, alice, cap("*"), facts=[{"x": bytes(5_000)}])
    assert is_allowed(ask(alice, proofs=[large]), large, remembered=remembered)
    assert len(remembered) == 0
