"""Goal: the same invocation twice is one invocation: one effect, and one receipt, byte for byte,
whenever, however often and by whomever it is sent again.
"""

import asyncio
import time

from hostile.asking import Target
from support.client import Client, body_of, random_car
from support.eventually import eventually
from taijitu.ucan.issue import delegate

TIMES = 20


async def test_twenty_at_once_are_one(client: Client) -> None:
    alice, car = client.space("alice"), random_car()
    asked = alice.asks_to_add(car)
    receipts = await asyncio.gather(*[client.send(asked) for _ in range(TIMES)])
    assert len({receipt.data for receipt in receipts}) == 1
    assert receipts[0].out["ok"]["allocated"] == car.size
    usage = await alice.usage()
    assert (usage["reserved"], usage["used"], usage["entries"]) == (car.size, 0, 0)
    assert await alice.links() == [car.link]


async def test_twice_in_one_message_is_one(client: Client) -> None:
    alice, car = client.space("alice"), random_car()
    asked = alice.asks_to_add(car)
    reply = await client.post(body_of([asked, asked]))
    assert len(client.receipts_in(reply.body)) == 1
    assert (await alice.usage())["reserved"] == car.size


async def test_a_removal_that_is_repeated_does_not_remove_what_came_after(client: Client) -> None:
    alice, car = client.space("alice"), random_car()
    await alice.store(car)
    asked = alice.asks_to_remove(car)
    removed = await client.send(asked)
    await alice.add(car)
    assert (await client.send(asked)).data == removed.data
    assert await alice.place(car) != "Absent"


async def test_an_add_that_is_repeated_does_not_bring_back_what_was_removed(
    client: Client,
) -> None:
    alice, car = client.space("alice"), random_car()
    asked = alice.asks_to_add(car)
    added = await client.send(asked)
    await alice.remove(car)
    assert (await client.send(asked)).data == added.data
    assert await alice.place(car) == "Absent"
    assert (await alice.usage())["reserved"] == 0


async def test_a_refusal_that_is_repeated_stays_a_refusal(client: Client) -> None:
    """Whoever wants another answer asks anew."""
    alice, car = client.space("alice"), random_car(100)
    await client.admin("provision", space=alice.did, capacity=99)
    asked = alice.asks_to_add(car)
    refused = await client.send(asked)
    assert refused.out["error"]["name"] == "InsufficientStorage"
    await client.admin("provision", space=alice.did, capacity=100)
    assert (await client.send(asked)).data == refused.data
    assert (await alice.usage())["reserved"] == 0
    assert (await alice.add(car))["ok"]["allocated"] == car.size


async def test_a_receipt_is_given_again_after_the_invocation_has_expired(
    client: Client,
) -> None:
    alice, car = client.space("alice"), random_car()
    expiration = int(time.time()) + 2
    asked = alice.asks_to_add(car, expiration=expiration)
    added = await client.send(asked)
    assert "ok" in added.out

    async def now() -> float:
        return time.time()

    await eventually(now, lambda time: time >= expiration, seconds=5)
    late = alice.asks_to_add(random_car(), expiration=expiration)
    assert (await client.send(late)).out["error"]["name"] == "Unauthorized"
    assert (await client.send(asked)).data == added.data
    assert (await alice.usage())["reserved"] == car.size


async def test_a_receipt_is_given_again_without_the_proofs(client: Client) -> None:
    alice, bob, car = client.space("alice"), client.space("bob"), random_car()
    proof = delegate(
        alice.owner, bob.did, [{"can": "store/add", "with": alice.did}], expiration=None
    )
    capability = {
        "can": "store/add",
        "with": alice.did,
        "nb": {"link": car.link, "size": car.size},
    }
    asked = bob.issue(capability, proofs=[proof.link])
    added = await client.send(asked, proofs=[proof])
    assert added.out["ok"]["allocated"] == car.size
    assert (await client.send(asked)).data == added.data


async def test_what_was_not_authorised_at_first_may_be_with_its_proofs(client: Client) -> None:
    """A refusal by lack of proof changes nothing, so nothing of it is kept."""
    alice, bob, car = client.space("alice"), client.space("bob"), random_car()
    capability = {"can": "store/add", "with": alice.did}
    proof = delegate(alice.owner, bob.did, [capability], expiration=None)
    nb = {"link": car.link, "size": car.size}
    asked = bob.issue(capability | {"nb": nb}, proofs=[proof.link])
    assert (await client.send(asked)).out["error"]["name"] == "Unauthorized"
    assert "ok" in (await client.send(asked, proofs=[proof])).out


async def test_a_receipt_can_be_had_by_the_name_of_its_task(client: Client) -> None:
    alice, car = client.space("alice"), random_car()
    asked = alice.asks_to_add(car)
    assert await client.receipt(asked.link) is None
    added = await client.send(asked)
    again = await client.receipt(asked.link)
    assert again is not None
    assert again.data == added.data


async def test_looking_at_a_receipt_changes_nothing(untouched: Target) -> None:
    alice = untouched.space
    asked = alice.ask("store/get", {"link": untouched.stored.link})
    assert "ok" in (await alice.client.send(asked)).out
    await alice.client.receipt(asked.link)


async def test_reads_are_answered_afresh(client: Client) -> None:
    """The same question may have another answer by now."""
    alice, car = client.space("alice"), random_car()
    asked = alice.ask("store/list")
    assert (await client.send(asked)).out["ok"]["size"] == 0
    await alice.add(car)
    assert (await client.send(asked)).out["ok"]["size"] == 1
