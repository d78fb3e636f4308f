"""`web3.storage/blob/*`: the service asks itself, and the answer is what was promised."""

import asyncio
from typing import Any

import pytest

from taijitu.ipld.cid import Link, link_to, multihash
from taijitu.machines.entry import Absent
from taijitu.protocols.execution import Executed
from taijitu.ucan.delegation import Delegation, decode
from taijitu.ucan.issue import delegate
from taijitu.ucan.signer import Signer
from unit.protocols.blobs import ROOM, SIZE_MAX, Keeping, blob_of, location, read
from unit.protocols.serving import NONCES
from unit.ucan.people import alice, bob, grant, later, mallory, service, space

DATA = b"some bytes that the service asks itself about"
SIZE, DIGEST = len(DATA), multihash(DATA)
CAUSE = link_to(b"an invocation that was never sent")
PUT = {"ucan/await": [".out.ok", link_to(b"a task to put them")]}
NOT_FOUND = {"name": "AllocatedMemoryHadNotBeenWrittenTo", "message": "Blob not found"}

Nb = dict[str, object]


def allocation(owner: Signer = space, cause: Link = CAUSE, **blob: object) -> Nb:
    return {"blob": {**blob_of(DATA), **blob}, "cause": cause, "space": owner.did}


def acceptance(owner: Signer = space, **blob: object) -> Nb:
    return {"blob": {**blob_of(DATA), **blob}, "space": owner.did, "_put": PUT}


def asks(can: str, nb: Nb, agent: Signer = service, resource: str = service.did) -> Delegation:
    """An invocation that was never sent before."""
    capability = {"can": f"web3.storage/blob/{can}", "with": resource, "nb": nb}
    nonce = str(next(NONCES))
    return delegate(agent, service.did, [capability], expiration=later, nonce=nonce)


async def ok(keeping: Keeping, can: str, nb: Nb) -> Any:
    out = (await keeping.execute(asks(can, nb))).receipt.out
    assert "ok" in out, out
    return out["ok"]


async def error(keeping: Keeping, can: str, nb: Nb) -> Any:
    out = (await keeping.execute(asks(can, nb))).receipt.out
    assert "error" in out, out
    return out["error"]


@pytest.fixture
async def keeping() -> Keeping:
    return await Keeping().open()


# Who may ask


@pytest.mark.parametrize(("can", "nb"), [("allocate", allocation()), ("accept", acceptance())])
async def test_what_is_asked_in_the_name_of_a_space_is_not_supported(
    keeping: Keeping, can: str, nb: Nb
) -> None:
    asked = asks(can, nb, space, space.did)
    out = (await keeping.execute(asked)).receipt.out
    assert out["error"] == {
        "name": "UnsupportedCapability",
        "message": f'{space.did} does not have a "web3.storage/blob/{can}" capability provider',
    }
    assert isinstance(await keeping.world.state(space.did, DATA), Absent)


@pytest.mark.parametrize(("can", "nb"), [("allocate", allocation()), ("accept", acceptance())])
async def test_nobody_but_the_service_may_ask_in_its_name(
    keeping: Keeping, can: str, nb: Nb
) -> None:
    out = (await keeping.execute(asks(can, nb, mallory))).receipt.out
    assert out["error"]["name"] == "Unauthorized"
    proof = grant(space, mallory, {"can": "*", "with": space.did})
    capability = {"can": f"web3.storage/blob/{can}", "with": service.did, "nb": nb}
    asked = grant(mallory, service, capability, proofs=[proof])
    out = (await keeping.execute(asked, {proof.link: proof.data})).receipt.out
    assert out["error"]["name"] == "Unauthorized"
    assert isinstance(await keeping.world.state(space.did, DATA), Absent)


# Allocating


async def test_room_is_set_aside_with_an_address_and_shown_under_its_cause(
    keeping: Keeping,
) -> None:
    allocated = await ok(keeping, "allocate", allocation())

    assert allocated["size"] == SIZE
    assert allocated["address"].keys() == {"url", "headers", "expiresAt"}
    assert allocated["address"]["headers"].keys() == {"content-length", "x-amz-checksum-sha256"}
    signed = "X-Amz-SignedHeaders=content-length%3Bhost%3Bx-amz-checksum-sha256"
    assert signed in allocated["address"]["url"]
    shown = await keeping.ok("space/blob/get/0/1", digest=DIGEST)
    assert (shown["blob"], shown["cause"]) == (blob_of(DATA), CAUSE)
    assert await keeping.world.ledger(space.did) == (ROOM, SIZE, 0)


async def test_room_is_taken_once_however_often_it_is_allocated(keeping: Keeping) -> None:
    many = [ok(keeping, "allocate", allocation()) for _ in range(10)]
    allocated = await asyncio.gather(*many)
    assert sorted(each["size"] for each in allocated) == [0] * 9 + [SIZE]
    assert len({each["address"]["url"] for each in allocated}) == 1
    assert await keeping.world.ledger(space.did) == (ROOM, SIZE, 0)


async def test_bytes_that_one_space_has_put_need_not_be_put_for_another() -> None:
    keeping = await Keeping().open(alice, bob)
    await ok(keeping, "allocate", allocation(alice))
    keeping.world.arrive(DATA)
    assert await ok(keeping, "allocate", allocation(bob)) == {"size": SIZE}
    assert await ok(keeping, "allocate", allocation(bob)) == {"size": 0}


async def test_who_adds_what_was_allocated_for_him_is_promised_what_goes_on(
    keeping: Keeping,
) -> None:
    asked = keeping.asks_to_add(DATA)
    allocated = await ok(keeping, "allocate", allocation(cause=asked.link))

    added = read(await keeping.execute(asked))

    assert added.allocated == {**allocated, "size": 0}, "the room was taken by who asked before"
    assert added.accept.capabilities[0].nb["_put"] == {"ucan/await": [".out.ok", added.put.link]}
    keeping.world.arrive(DATA)
    await keeping.conclude(added.put_done())
    assert "ok" in await keeping.settled(added.accept)


async def test_the_task_that_is_promised_can_be_invoked_before_it_is(keeping: Keeping) -> None:
    asked = keeping.asks_to_add(DATA)
    promised = read(await (await Keeping().open()).execute(asked)).allocate

    invoked = await keeping.execute(promised)
    added = read(await keeping.execute(asked))

    assert invoked.receipt.out["ok"]["size"] == SIZE
    assert added.allocate.link == promised.link
    assert added.said[promised.link].data == invoked.receipt.data


async def test_the_task_that_was_promised_is_over_when_it_is_invoked(keeping: Keeping) -> None:
    added = await keeping.add(DATA)
    invoked = await keeping.execute(added.allocate)
    assert invoked.receipt.data == added.said[added.allocate.link].data
    assert await keeping.world.ledger(space.did) == (ROOM, SIZE, 0)


async def test_a_space_that_nobody_provides_for_gets_no_room(keeping: Keeping) -> None:
    refused = await error(keeping, "allocate", allocation(alice))
    assert refused == {
        "name": "InsufficientStorage",
        "message": f"{alice.did} has no storage provider",
    }


async def test_what_has_no_room_or_is_too_large_is_refused(keeping: Keeping) -> None:
    await keeping.open(alice, room=SIZE - 1)
    assert (await error(keeping, "allocate", allocation(alice)))["name"] == "InsufficientStorage"
    refused = await error(keeping, "allocate", allocation(size=SIZE_MAX + 1))
    assert refused["name"] == "BlobSizeOutsideOfSupportedRange"
    assert (refused["maxUploadSize"], refused["blobSize"]) == (SIZE_MAX, SIZE_MAX + 1)
    wrong = {**allocation(), "blob": {"digest": DIGEST[:-1], "size": 1}}
    assert "sha2-256" in (await error(keeping, "allocate", wrong))["message"]


async def test_what_is_stored_may_be_larger_than_is_allowed_by_now(keeping: Keeping) -> None:
    await keeping.store(DATA)
    after = keeping.restarted(size_max=SIZE - 1)
    assert await ok(after, "allocate", allocation()) == {"size": 0}


async def test_an_allocation_that_failed_can_be_asked_for_again(keeping: Keeping) -> None:
    await keeping.open(alice, room=SIZE - 1)
    asked = keeping.asks_to_add(DATA, alice)
    refused = await error(keeping, "allocate", allocation(alice, asked.link))
    assert refused["name"] == "InsufficientStorage"

    await keeping.open(alice, room=SIZE)
    added = read(await keeping.execute(asked))
    keeping.world.arrive(DATA)
    await keeping.conclude(added.put_done())

    assert "ok" in await keeping.settled(added.accept)


# Accepting


async def test_bytes_that_have_come_are_accepted_with_a_commitment(keeping: Keeping) -> None:
    await ok(keeping, "allocate", allocation())
    keeping.world.arrive(DATA)

    accepted = await keeping.execute(asks("accept", acceptance()))

    (claim_link,) = accepted.receipt.fork
    assert accepted.receipt.out == {"ok": {"site": claim_link}}
    claim = decode(claim_link, accepted.blocks[claim_link])
    assert claim.audience == space.did
    (commitment,) = claim.capabilities
    assert commitment.nb == {"content": {"digest": DIGEST}, "location": [location(DIGEST)]}


async def test_bytes_that_have_not_come_are_not_accepted_until_they_have(keeping: Keeping) -> None:
    added = await keeping.add(DATA)
    early = await keeping.execute(added.accept)
    assert early.receipt.out == {"error": NOT_FOUND}
    assert await keeping.settled(added.accept) is None, "that was no last word"

    keeping.world.arrive(DATA)
    accepted = await keeping.execute(added.accept)

    assert "ok" in accepted.receipt.out
    recorded = await keeping.durable.recorded(added.accept.link)
    assert recorded is not None
    assert recorded.receipt.data == accepted.receipt.data


async def test_what_was_accepted_once_is_said_again_whatever_has_come_since(
    keeping: Keeping,
) -> None:
    await keeping.store(DATA)
    asked = asks("accept", acceptance())
    accepted = await keeping.execute(asked)
    await keeping.ok("space/blob/remove", digest=DIGEST)

    again: Executed = await keeping.restarted().execute(asked)

    assert again.receipt.data == accepted.receipt.data
    assert again.blocks == accepted.blocks
    assert await error(keeping, "accept", acceptance()) == NOT_FOUND


async def test_a_space_accepts_only_what_it_holds(keeping: Keeping) -> None:
    await keeping.store(DATA)
    assert await error(keeping, "accept", acceptance(alice)) == NOT_FOUND
    assert await error(keeping, "accept", acceptance(size=SIZE + 1)) == NOT_FOUND
    assert "sha2-256" in (await error(keeping, "accept", acceptance(digest=b"")))["message"]
