"""Accounts: delegations without a signature, made valid by an attestation beside them."""

from collections.abc import Iterable
from typing import Any

import pytest

from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import absent
from taijitu.ucan.remembered import Remembered
from taijitu.ucan.signer import Signer
from taijitu.ucan.validity import Authority
from unit.ucan.people import (
    account,
    alice,
    ask,
    bob,
    cap,
    carol,
    delegate,
    earlier,
    grant,
    is_allowed,
    later,
    mallory,
    refusal,
    service,
    space,
    store_add,
)

to_account = delegate(space, account, [cap("*")], expiration=None)


def login(audience: Signer = alice, proofs: Iterable[Delegation] = (to_account,)) -> Delegation:
    """Everything of the account, for an agent, without a signature."""
    return absent(
        account,
        audience.did,
        [cap("*", "ucan:*")],
        expiration=None,
        proofs=[proof.link for proof in proofs],
    )


def attest(
    delegation: Delegation, issuer: Signer = service, audience: Signer = alice, **more: Any
) -> Delegation:
    return grant(issuer, audience, cap("ucan/attest", service.did, proof=delegation.link), **more)


session = login()
known = Remembered()
attested = attest(session)


def test_an_attested_session_is_as_good_as_a_signature() -> None:
    assert is_allowed(ask(alice, proofs=[session, attested]), session, attested, to_account)
    assert is_allowed(ask(alice, proofs=[attested, session]), session, attested, to_account)


def test_a_session_allows_no_more_than_the_account_may() -> None:
    asked = ask(alice, store_add() | {"with": carol.did}, [session, attested])
    assert not is_allowed(asked, session, attested, to_account)
    assert not is_allowed(ask(alice, proofs=[session, attested]), session, attested)


def test_a_session_outlives_the_key_that_attested_it() -> None:
    asked = ask(alice, proofs=[session, attested])
    rotated = Authority(service.did, carol.did, past=(bob.did, service.key_did))
    forgotten = Authority(service.did, carol.did, past=(bob.did,))
    for _ in range(2):  # verified, and remembered
        assert is_allowed(asked, session, attested, to_account, authority=rotated, remembered=known)
        assert not is_allowed(
            asked, session, attested, to_account, authority=forgotten, remembered=known
        )


def test_a_session_works_at_every_level() -> None:
    onwards = grant(alice, bob, cap("store/*"), proofs=[session, attested])
    asked = ask(bob, proofs=[onwards])
    assert is_allowed(asked, onwards, session, attested, to_account)


def test_an_account_does_not_invoke() -> None:
    asked = absent(account, service.did, [store_add()], expiration=later)
    assert f"Unable to resolve '{account}' key" in refusal(asked)


@pytest.mark.parametrize(
    ("attestation", "phrase"),
    [
        (attest(session, mallory), "has an invalid session"),
        (attest(session, alice), "has an invalid session"),
        (attest(session, mallory.under(service.did)), "Unable to resolve"),
        (attest(session, audience=bob), "Unable to resolve"),
        (attest(session, expiration=earlier), "Unable to resolve"),
        (attest(session, not_before=later), "Unable to resolve"),
        (attest(to_account), "Unable to resolve"),
        (grant(service, alice, cap("ucan/attest", service.did)), "Unable to resolve"),
        (
            grant(service, alice, cap("ucan/attest", carol.did, proof=session.link)),
            "Unable to resolve",
        ),
        (grant(service, alice, cap("*", service.did)), "Unable to resolve"),
        (
            grant(service, alice, cap("ucan/*", service.did, proof=session.link)),
            "Unable to resolve",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.capabilities[0].fields)[:60],
)
def test_another_attestation_is_not_a_session(attestation: Delegation, phrase: str) -> None:
    asked = ask(alice, proofs=[session, attestation])
    assert phrase in refusal(asked, session, attestation, to_account)


def test_an_attestation_elsewhere_is_not_beside_it() -> None:
    """It must be among the proofs of the same delegation."""
    onwards = grant(alice, bob, cap("store/*"), proofs=[session])
    beside = attest(session, audience=bob)
    asked = ask(bob, proofs=[onwards, beside])
    assert not is_allowed(asked, onwards, beside, session, to_account)


def test_a_delegation_does_not_attest_itself() -> None:
    own = absent(account, alice.did, [cap("ucan/attest", service.did)], expiration=None)
    assert not is_allowed(ask(alice, proofs=[own]), own, to_account)


def test_the_service_may_let_another_attest() -> None:
    may = grant(service, carol, cap("ucan/attest", service.did))
    by_carol = attest(session, carol, proofs=[may])
    asked = ask(alice, proofs=[session, by_carol])
    assert is_allowed(asked, session, by_carol, may, to_account)
    assert "invalid session" in refusal(asked, session, by_carol, to_account)


def test_a_configured_attestor_is_taken_at_its_word() -> None:
    by_carol = grant(carol, alice, cap("ucan/attest", carol.did, proof=session.link))
    asked = ask(alice, proofs=[session, by_carol])
    trusts = Authority(service.did, service.key_did, attestors=frozenset((carol.did,)))
    assert is_allowed(asked, session, by_carol, to_account, authority=trusts)
    assert not is_allowed(asked, session, by_carol, to_account)
    by_mallory = grant(mallory, alice, cap("ucan/attest", carol.did, proof=session.link))
    asked = ask(alice, proofs=[session, by_mallory])
    assert not is_allowed(asked, session, by_mallory, to_account, authority=trusts)


def test_sessions_do_not_vouch_for_sessions() -> None:
    """An attestation is signed by a key, not attested in turn."""
    by_account = absent(
        account, alice.did, [cap("ucan/attest", service.did, proof=session.link)], expiration=None
    )
    for_that = attest(by_account)
    asked = ask(alice, proofs=[session, by_account, for_that])
    assert not is_allowed(asked, session, by_account, for_that, to_account)


def test_a_revoked_attestation_ends_the_session() -> None:
    asked = ask(alice, proofs=[session, attested])
    revoked = {attested.link: (service.did,)}
    text = refusal(
        asked, session, attested, to_account, revokers=lambda link: revoked.get(link, ())
    )
    assert f"Unable to resolve '{account}' key" in text
