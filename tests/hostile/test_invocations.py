"""Goal: whoever may not do a thing is told so by the name and in the words that clients know, in
the order in which ucanto checks; and nothing changes.
"""

import asyncio
import time
from itertools import chain

import pytest

from hostile.asking import Target, altered, bob_of, claim, grant, in_block, over, refusal
from support.client import Space, body_of, random_car
from taijitu.ipld import dagcbor
from taijitu.ucan import delegation
from taijitu.ucan.delegation import Delegation

SOON = 60
"""Seconds."""
DIAMOND_LEVELS = 10
DIAMOND_SECONDS_MAX = 2
"""A server that looks at every path needs 5 s for these, and twice as long for each level more."""


# How many, and which


async def test_an_invocation_has_one_capability_and_not_none(untouched: Target) -> None:
    alice = untouched.space
    out = (await alice.client.send(alice.issue())).out
    assert out["error"] == {
        "name": "InvocationCapabilityError",
        "error": True,
        "message": "Invocation is required to have a single capability.",
        "capabilities": [],
    }


async def test_an_invocation_has_one_capability_and_not_two(untouched: Target) -> None:
    alice, car = untouched.space, untouched.stored
    removes, lists = over(alice, "store/remove", link=car.link), over(alice, "store/list")
    error = (await alice.client.send(alice.issue(removes, lists))).out["error"]
    assert error["name"] == "InvocationCapabilityError"
    assert error["capabilities"] == [removes, lists]


INTERNAL = [
    *("store/put", "store/exceed", "store/receive", "store/expire", "store/fail"),
    *("storage/allocate", "storage/commit", "storage/release"),
    *("ledger/reserve", "ledger/use", "ledger/free", "space/provision", "space/open"),
    *("blob/refer", "blob/drop", "blob/expose", "blob/sweep", "blob/swept"),
    *("s3/put", "s3/stat", "s3/presign", "s3/delete", "task/sleep", "operator/alarm"),
]
"""Everything that machines say to each other and to the world."""


@pytest.mark.parametrize("can", [*INTERNAL, "store/nope", "store/*", "*", "STORE/PUT"])
async def test_only_the_service_moves_its_machines_not_even_the_owner_of_the_space(
    untouched: Target, can: str
) -> None:
    alice, car = untouched.space, untouched.awaited
    nb = {"link": car.link, "size": car.size, "space": alice.did, "capacity": 2**50, "why": "?"}
    out = (await alice.client.send(alice.ask(can, nb))).out
    assert out["error"] == {
        "name": "HandlerNotFound",
        "error": True,
        "capability": {"can": can.lower(), "with": alice.did},
        "message": f'service does not implement {{can: "{can.lower()}"}} handler',
    }
    assert await alice.place(car) == "Receiving"


# In which order


async def test_how_many_is_asked_before_whether_anyone_can(untouched: Target) -> None:
    alice = untouched.space
    asked = alice.issue(over(alice, "no/such"), over(alice, "no/such"), audience=alice.did)
    await refusal(alice.client, asked, name="InvocationCapabilityError")


async def test_whether_anyone_can_is_asked_before_for_whom_it_is(untouched: Target) -> None:
    alice = untouched.space
    asked = alice.ask("no/such", audience=alice.did, expiration=0)
    await refusal(alice.client, asked, name="HandlerNotFound")


async def test_for_whom_it_is_is_asked_before_who_may(untouched: Target) -> None:
    alice = untouched.space
    nb = {"link": untouched.stored.link}
    asked = alice.ask("store/remove", nb, audience=alice.did, expiration=0)
    await refusal(alice.client, asked, name="InvalidAudience")


# For whom


async def test_what_is_meant_for_another_service_is_not_done(untouched: Target) -> None:
    alice = untouched.space
    for other in (alice.did, "did:web:elsewhere.example"):
        asked = alice.asks_to_add(random_car(), audience=other)
        text = await refusal(alice.client, asked, name="InvalidAudience")
        assert text == f'Expected literal "{alice.client.did}" instead got "{other}"'


async def test_the_key_of_the_service_is_not_its_name(untouched: Target) -> None:
    alice = untouched.space
    asked = alice.asks_to_add(random_car(), audience=alice.client.key)
    await refusal(alice.client, asked, name="InvalidAudience")


# When


async def test_what_has_expired_is_not_done(untouched: Target) -> None:
    alice = untouched.space
    asked = alice.asks_to_add(random_car(), expiration=int(time.time()))
    text = await refusal(alice.client, asked)
    assert f"Proof {asked.link} has expired on " in text


async def test_what_is_not_valid_yet_is_not_done(untouched: Target) -> None:
    alice = untouched.space
    asked = alice.asks_to_add(random_car(), not_before=int(time.time()) + SOON)
    text = await refusal(alice.client, asked)
    assert f"Proof {asked.link} is not valid before " in text


# By whom


async def test_what_was_changed_after_it_was_signed_is_not_done(untouched: Target) -> None:
    alice = untouched.space
    changed = altered(alice.asks_to_remove(random_car()), link=untouched.stored.link)
    text = await refusal(alice.client, changed)
    assert f"Proof {changed.link} does not has a valid signature from {alice.did}" in text


async def test_mallory_can_not_sign_for_alice(untouched: Target) -> None:
    alice, mallory = untouched.space, untouched.client.space("mallory")
    asked = alice.asks_to_remove(untouched.stored)
    block = dagcbor.decode(asked.data)
    block["s"] = mallory.owner.sign(delegation.signing_payload(asked))
    forged = in_block(block)
    text = await refusal(alice.client, forged)
    assert f"Proof {forged.link} does not has a valid signature from {alice.did}" in text


@pytest.mark.parametrize("can", ["store/add", "store/remove", "store/get", "store/list"])
async def test_mallory_can_do_nothing_in_the_space_of_alice(untouched: Target, can: str) -> None:
    alice, mallory = untouched.space, untouched.client.space("mallory")
    nb: dict[str, object] = {"link": untouched.stored.link, "size": untouched.stored.size}
    asked = mallory.issue(over(alice, can, **nb))
    text = await refusal(alice.client, asked)
    assert text.startswith(f'Claim {{"can":"{can}"}} is not authorized')
    assert f"Capability can not be (self) issued by '{mallory.did}'" in text
    assert "Delegated capability not found" in text


async def test_a_delegation_to_bob_is_of_no_use_to_mallory(untouched: Target) -> None:
    alice, bob, mallory = untouched.space, bob_of(untouched), untouched.client.space("mallory")
    proof = grant(alice, bob, over(alice, "store/*"))
    asked = claim(mallory, alice, "store/remove", proof, link=untouched.stored.link)
    text = await refusal(alice.client, asked, proof)
    assert f"Delegation audience is '{bob.did}' instead of '{mallory.did}'" in text


async def test_a_delegation_that_is_only_named_proves_nothing(untouched: Target) -> None:
    alice, bob = untouched.space, bob_of(untouched)
    proof = grant(alice, bob, over(alice, "store/*"))
    asked = claim(bob, alice, "store/remove", proof, link=untouched.stored.link)
    text = await refusal(alice.client, asked)
    assert f"Linked proof '{proof.link}' is not included and could not be resolved" in text


async def test_a_delegation_that_has_expired_proves_nothing(untouched: Target) -> None:
    alice, bob = untouched.space, bob_of(untouched)
    proof = grant(alice, bob, over(alice, "store/*"), expiration=int(time.time()))
    asked = claim(bob, alice, "store/remove", proof, link=untouched.stored.link)
    text = await refusal(alice.client, asked, proof)
    assert f"Capability can not be derived from prf:{proof.link} because:" in text
    assert f"Proof {proof.link} has expired on " in text


async def test_a_delegation_that_was_changed_proves_nothing(untouched: Target) -> None:
    alice, bob = untouched.space, bob_of(untouched)
    proof = altered(grant(alice, bob, over(alice, "store/add", size=10)), size=10**6)
    car = random_car(1_000)
    asked = claim(bob, alice, "store/add", proof, link=car.link, size=car.size)
    text = await refusal(alice.client, asked, proof)
    assert f"Proof {proof.link} does not has a valid signature from {alice.did}" in text


# How much


async def test_bob_can_not_add_more_than_he_was_allowed(untouched: Target) -> None:
    alice, bob, car = untouched.space, bob_of(untouched), random_car(1_000)
    proof = grant(alice, bob, over(alice, "store/add", size=999))
    asked = claim(bob, alice, "store/add", proof, link=car.link, size=car.size)
    text = await refusal(alice.client, asked, proof)
    assert "Size constraint violation: 1000 > 999" in text


async def test_bob_can_not_remove_another_car_than_he_was_allowed(untouched: Target) -> None:
    alice, bob, other = untouched.space, bob_of(untouched), random_car()
    proof = grant(alice, bob, over(alice, "store/remove", link=other.link))
    asked = claim(bob, alice, "store/remove", proof, link=untouched.stored.link)
    text = await refusal(alice.client, asked, proof)
    assert f"Link {untouched.stored.link} violates imposed {other.link} constraint" in text


async def test_bob_can_not_remove_if_he_may_only_add(untouched: Target) -> None:
    alice, bob = untouched.space, bob_of(untouched)
    proof = grant(alice, bob, over(alice, "store/add"))
    asked = claim(bob, alice, "store/remove", proof, link=untouched.stored.link)
    text = await refusal(alice.client, asked, proof)
    assert "Encountered unknown capabilities" in text
    assert '"can":"store/add"' in text


async def test_bob_can_not_pass_on_more_than_he_has(untouched: Target) -> None:
    alice, bob, carol = untouched.space, bob_of(untouched), untouched.client.space("carol")
    first = grant(alice, bob, over(alice, "store/add", size=10))
    second = grant(bob, carol, over(alice, "store/*"), proofs=[first])
    car = random_car(11)
    asked = claim(carol, alice, "store/add", second, link=car.link, size=car.size)
    text = await refusal(alice.client, asked, first, second)
    assert "Size constraint violation: 11 > 10" in text


async def test_a_delegation_over_one_space_is_none_over_another(untouched: Target) -> None:
    alice, bob = untouched.space, bob_of(untouched)
    proof = grant(bob, bob, over(bob, "store/*"))
    asked = claim(bob, alice, "store/remove", proof, link=untouched.stored.link)
    text = await refusal(alice.client, asked, proof)
    assert "Constraint violation: " in text


# At what cost


def diamond(owner: Space, space: Space, agent: Space) -> list[list[Delegation]]:
    """Two proofs on each level, each of which leads to both of the level above."""
    levels: list[list[Delegation]] = []
    for level in range(DIAMOND_LEVELS):
        issuer, above = (agent, levels[-1]) if levels else (owner, [])
        levels.append(
            [
                grant(issuer, agent, over(space, "store/*"), proofs=above, nonce=f"{level} {side}")
                for side in range(2)
            ]
        )
    return levels


async def test_proofs_with_a_thousand_ways_that_lead_nowhere_are_refused_quickly(
    untouched: Target,
) -> None:
    alice, mallory = untouched.space, untouched.client.space("mallory")
    levels = diamond(mallory, alice, mallory)
    asked = claim(mallory, alice, "store/remove", *levels[-1], link=untouched.stored.link)
    began = time.monotonic()
    text = await refusal(alice.client, asked, *chain(*levels))
    assert time.monotonic() - began < DIAMOND_SECONDS_MAX
    assert len(text) < 20_000


async def test_many_invocations_with_such_proofs_do_not_keep_others_waiting(
    untouched: Target,
) -> None:
    alice, mallory = untouched.space, untouched.client.space("mallory")
    levels = diamond(mallory, alice, mallory)
    asked = [
        claim(mallory, alice, "store/remove", *levels[-1], link=untouched.stored.link)
        for _ in range(32)
    ]
    attack = asyncio.create_task(alice.client.post(body_of(asked, list(chain(*levels)))))
    began = time.monotonic()
    assert "ok" in await alice.get(untouched.stored)
    assert time.monotonic() - began < DIAMOND_SECONDS_MAX
    reply = await attack
    assert reply.status == 200
    outs = [receipt.out for receipt in alice.client.receipts_in(reply.body).values()]
    assert {out["error"]["name"] for out in outs} == {"Unauthorized"}


async def test_proofs_that_stand_higher_than_we_climb_are_refused(untouched: Target) -> None:
    alice, bob = untouched.space, bob_of(untouched)
    proofs = [grant(alice, bob, over(alice, "store/*"))]
    for _ in range(99):
        proofs.append(grant(bob, bob, over(alice, "store/*"), proofs=proofs[-1:]))
    asked = claim(bob, alice, "store/remove", proofs[-1], link=untouched.stored.link)
    reply = await alice.client.post(body_of([asked], proofs))
    assert reply.status == 400
    assert "deeper than 64 levels" in reply.text
