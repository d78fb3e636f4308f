"""Revocation: whoever had a say in a delegation may take it back, and nobody else."""

import pytest

from taijitu.ucan.signer import Signer
from unit.ucan.people import (
    alice,
    ask,
    bob,
    cap,
    carol,
    grant,
    is_allowed,
    mallory,
    refusal,
    service,
    space,
)

first = grant(space, alice, cap("*"))
second = grant(alice, bob, cap("store/*"), proofs=[first])
third = grant(bob, carol, cap("store/add"), proofs=[second])
asked = ask(carol, proofs=[third])
CHAIN = {"first": first, "second": second, "third": third, "asked": asked}
PEOPLE = {"space": space, "alice": alice, "bob": bob, "carol": carol, "mallory": mallory}

MAY = {
    "first": {"space", "alice"},
    "second": {"space", "alice", "bob"},
    "third": {"space", "alice", "bob", "carol"},
    "asked": {"space", "alice", "bob", "carol"},
}
"""Issuer and audience of the delegation, and of those upstream."""


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("what", CHAIN)
def test_only_who_had_a_say_can_revoke(what: str, who: str) -> None:
    revoked = {CHAIN[what].link: (PEOPLE[who].did,)}
    allowed = is_allowed(asked, third, second, first, revokers=lambda link: revoked.get(link, ()))
    assert allowed == (who not in MAY[what])


def test_the_service_can_revoke_what_is_addressed_to_it() -> None:
    assert not is_allowed(
        asked,
        third,
        second,
        first,
        revokers=lambda link: [service.did] if link == asked.link else [],
    )


@pytest.mark.parametrize("order", [[mallory, space], [space, mallory]], ids=["before", "after"])
def test_a_strangers_revocation_does_not_hide_the_owners(order: list[Signer]) -> None:
    text = refusal(
        asked,
        third,
        second,
        first,
        revokers=lambda link: [each.did for each in order] if link == first.link else [],
    )
    assert f"Proof {first.link} has been revoked" in text


def test_another_way_that_is_not_revoked_is_found() -> None:
    other = grant(space, bob, cap("store/add"))
    onwards = grant(bob, carol, cap("store/add"), proofs=[second, other])
    last = ask(carol, proofs=[onwards])
    assert is_allowed(
        last,
        onwards,
        second,
        first,
        other,
        revokers=lambda link: [space.did] if link == second.link else [],
    )


def test_revoking_a_proof_that_is_not_used_changes_nothing() -> None:
    unused = grant(space, carol, cap("upload/*"))
    last = ask(carol, proofs=[unused, third])
    assert is_allowed(
        last,
        unused,
        third,
        second,
        first,
        revokers=lambda link: [space.did] if link == unused.link else [],
    )


def test_an_error_of_the_hook_is_not_a_permission() -> None:
    def broken(_: object) -> list[str]:
        raise OSError("the store does not answer")

    with pytest.raises(OSError, match="does not answer"):
        is_allowed(asked, third, second, first, revokers=broken)
