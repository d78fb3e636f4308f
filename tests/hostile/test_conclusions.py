"""Goal: whatever is said about tasks of others, and whoever invokes those of the service, nothing
comes of it but what is seen.
"""

import pytest

from hostile.asking import Target, bob_of, refusal
from support.blobs import concluding
from support.client import Car, Client, Space, random_car
from taijitu.ipld.cid import Link, link_to
from taijitu.ucan import receipt as receipts
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import delegate
from taijitu.wire import message

LENGTHS = (0, 1, 33, 35, 5_000)
"""Of digests that are none, in bytes."""


def puts(liar: Space, digest: bytes) -> Delegation:
    """A task that says of itself that it puts some bytes."""
    nb = {"body": {"digest": digest, "size": 1}, "url": "http://mallory.example", "headers": {}}
    capability = {"can": "http/put", "with": liar.did, "nb": nb}
    return delegate(liar.owner, liar.did, [capability], expiration=None)


async def says_it_is_done(client: Client, liar: Space, task: Delegation) -> None:
    """It is heard, as everything is."""
    lie = receipts.issue(liar.owner, task.link, {"ok": {}})
    blocks = {lie.link: lie.data, task.link: task.data}
    said = concluding(liar.owner, client.did, lie.link, blocks)
    body = message.encode(execute=[said.link], blocks={**blocks, said.link: said.data})
    reply = await client.post(body)
    assert client.receipts_in(reply.body)[said.link].is_ok


async def test_who_lies_about_a_put_changes_nothing(untouched: Target) -> None:
    client, bob = untouched.client, bob_of(untouched)
    for car in (untouched.awaited, untouched.stored, random_car()):
        await says_it_is_done(client, bob, puts(bob, car.link.multihash))
    assert await untouched.space.place(untouched.awaited) == "Receiving"


@pytest.mark.parametrize("length", LENGTHS)
async def test_what_names_no_bytes_wakes_nobody(untouched: Target, length: int) -> None:
    bob = bob_of(untouched)
    await says_it_is_done(untouched.client, bob, puts(bob, bytes(length)))


def ours(bob: Space, can: str, resource: str, space: Space, car: Car) -> Delegation:
    """A task of the service, as bob would like to invoke it."""
    anything: Link = link_to(b"anything")
    blob = {"digest": car.link.multihash, "size": car.size}
    nb: dict[str, object] = {"blob": blob, "space": space.did}
    nb |= (
        {"cause": anything}
        if can.endswith("allocate")
        else {"_put": {"ucan/await": [".out.ok", anything]}}
    )
    return bob.issue({"can": can, "with": resource, "nb": nb})


@pytest.mark.parametrize("can", ["web3.storage/blob/allocate", "web3.storage/blob/accept"])
async def test_the_tasks_of_the_service_are_nobody_elses(untouched: Target, can: str) -> None:
    client, bob = untouched.client, bob_of(untouched)
    for car in (untouched.stored, untouched.awaited, random_car()):
        await refusal(client, ours(bob, can, client.did, untouched.space, car))
        await refusal(client, ours(bob, can, untouched.space.did, untouched.space, car))
        why = await refusal(
            client, ours(bob, can, bob.did, untouched.space, car), name="UnsupportedCapability"
        )
        assert why == f'{bob.did} does not have a "{can}" capability provider'
