"""`space/blob/*`: what is held through this face, and what is said about it."""

from typing import Any

import pytest

from taijitu.buckets.names import path_of
from taijitu.ipld.cid import CAR, link_to, multihash
from taijitu.machines.entry import Absent, SizeMismatch, Stored
from taijitu.protocols.execution import NotReady
from taijitu.protocols.fairness import Patience
from taijitu.ucan.delegation import decode
from unit.protocols.blobs import ROOM, SIZE_MAX, Keeping, blob_of, location
from unit.ucan.people import alice, bob, service, space

DATA = b"some bytes that people want to keep"
SIZE = len(DATA)
DIGEST = multihash(DATA)
TOO_LARGE = {
    "name": "BlobSizeOutsideOfSupportedRange",
    "message": f"Blob size {SIZE_MAX + 1} exceeded maximum size limit: {SIZE_MAX}, "
    "consider splitting it into blobs that fit limit.",
    "maxUploadSize": SIZE_MAX,
    "blobSize": SIZE_MAX + 1,
}


async def digests(keeping: Keeping, can: str = "space/blob/list") -> list[Any]:
    return [item["blob"]["digest"] for item in (await keeping.ok(can))["results"]]


async def test_what_was_added_and_put_is_at_the_place_that_is_promised() -> None:
    keeping = await Keeping().open()

    added = await keeping.add(DATA)

    site = {"ucan/await": [".out.ok.site", added.accept.link]}
    assert added.receipt.out == {"ok": {"site": site}}
    assert [task.capabilities[0].can for task in added.forked] == [
        "web3.storage/blob/allocate",
        "http/put",
        "web3.storage/blob/accept",
        "ucan/conclude",
    ]
    assert added.allocated["size"] == SIZE
    assert await keeping.world.ledger(space.did) == (ROOM, SIZE, 0)

    keeping.world.arrive(DATA)
    await keeping.conclude(added.put_done())

    recorded = await keeping.durable.recorded(added.accept.link)
    assert recorded is not None
    claim_link = recorded.receipt.out["ok"]["site"]
    assert recorded.receipt.fork == (claim_link,)
    claim = decode(claim_link, recorded.blocks[claim_link])
    assert (claim.issuer, claim.audience) == (service.did, space.did)
    (commitment,) = claim.capabilities
    assert (commitment.can, commitment.resource) == ("assert/location", service.key_did)
    assert commitment.nb == {"content": {"digest": DIGEST}, "location": [location(DIGEST)]}
    assert location(DIGEST).endswith(path_of(DIGEST))
    assert await keeping.world.ledger(space.did) == (ROOM, 0, SIZE)


async def test_what_is_stored_already_is_accepted_in_the_same_answer() -> None:
    keeping = await Keeping().open()
    await keeping.store(DATA)

    again = await keeping.add(DATA)

    assert again.allocated == {"size": 0}
    assert again.said[again.put.link].out == {"ok": {}}
    accepted = again.said[again.accept.link]
    claim = decode(accepted.fork[0], again.blocks[accepted.fork[0]])
    assert accepted.out == {"ok": {"site": claim.link}}
    assert claim.capabilities[0].nb["location"] == [location(DIGEST)]
    said = [again.said[task.link].out for task in again.tasks]
    assert await keeping.all_settled(again.tasks) == said, "and so says /receipt/"
    assert await keeping.world.ledger(space.did) == (ROOM, 0, SIZE)


async def test_two_spaces_hold_the_same_bytes_and_each_is_charged() -> None:
    keeping = await Keeping().open(alice, bob)
    await keeping.store(DATA, alice)

    added = await keeping.add(DATA, bob)

    assert added.allocated == {"size": SIZE}, "nothing is to be put"
    assert await keeping.world.ledger(bob.did) == (ROOM, 0, SIZE)
    await keeping.ok("space/blob/remove", alice, digest=DIGEST)
    await keeping.world.quiet()
    assert keeping.world.bucket.stored == {DIGEST: DATA}
    assert await keeping.world.ledger(alice.did) == (ROOM, 0, 0)
    assert isinstance(await keeping.world.state(bob.did, DATA), Stored)


# Too large, no room, other bytes


async def test_a_blob_that_is_too_large_is_refused_by_all_that_was_promised() -> None:
    keeping = await Keeping().open()

    added = await keeping.add(DATA, size=SIZE_MAX + 1)

    assert added.receipt.is_ok
    allocate, put, _ = added.tasks
    put_error = {
        "name": "AwaitError",
        "message": f"Awaited {allocate.link} reference at .out.ok.address.url has failed:\n"
        + str(TOO_LARGE["message"]),
        "at": ".out.ok.address.url",
        "reference": allocate.link,
        "cause": TOO_LARGE,
    }
    accept_error = {
        "name": "AwaitError",
        "message": f"Awaited {put.link} reference at .out.ok has failed:\n{put_error['message']}",
        "at": ".out.ok",
        "reference": put.link,
        "cause": put_error,
    }
    errors = [{"error": each} for each in (TOO_LARGE, put_error, accept_error)]
    assert [added.said[task.link].out for task in added.tasks] == errors
    assert await keeping.all_settled(added.tasks) == errors, "and so says /receipt/"
    assert isinstance(await keeping.world.state(space.did, DATA), Absent)
    assert await keeping.world.ledger(space.did) == (ROOM, 0, 0)


async def test_a_blob_that_is_too_large_counts_as_an_error_every_time_it_is_asked() -> None:
    keeping = await Keeping().open()
    asked = keeping.asks_to_add(DATA, size=SIZE_MAX + 1)

    first = await keeping.execute(asked)
    after = keeping.restarted()
    again = await after.execute(asked)

    assert again.receipt.data == first.receipt.data
    refused = ("space/blob/add", "BlobSizeOutsideOfSupportedRange")
    assert (keeping.told, after.told) == ([refused], [refused])
    await keeping.add(DATA)
    assert keeping.told[-1] == ("space/blob/add", "ok")


async def test_refusals_of_what_is_too_large_are_not_written_down_without_end() -> None:
    keeping = await Keeping().open()
    keeping.durable.patience = Patience(refusals_max=2, pause_ms=10_000)
    for _ in range(2):
        await keeping.add(DATA, size=SIZE_MAX + 1)
    with pytest.raises(NotReady):
        await keeping.add(DATA, size=SIZE_MAX + 1)


async def test_what_is_stored_may_be_added_again_when_less_is_allowed_by_now() -> None:
    keeping = await Keeping().open()
    await keeping.store(DATA)

    after = keeping.restarted(size_max=SIZE - 1)

    assert (await after.add(DATA)).allocated == {"size": 0}
    await after.ok("space/blob/remove", digest=DIGEST)
    refused = await after.add(DATA)
    assert refused.said[refused.allocate.link].out["error"]["name"] == TOO_LARGE["name"]


async def test_a_space_without_room_is_told_so_at_once() -> None:
    keeping = await Keeping().open(space, room=SIZE - 1)

    error = await keeping.error("space/blob/add", blob=blob_of(DATA))

    assert error["name"] == "InsufficientStorage"
    assert await keeping.world.ledger(space.did) == (SIZE - 1, 0, 0)
    assert keeping.told == [("space/blob/add", "InsufficientStorage")]


@pytest.mark.parametrize("size", [SIZE, SIZE_MAX + 1])
async def test_a_space_that_nobody_provides_for_gets_nothing_written_down(size: int) -> None:
    keeping = Keeping()

    error = await keeping.error("space/blob/add", blob={"digest": DIGEST, "size": size})

    assert error == {
        "name": "InsufficientStorage",
        "message": f"{space.did} has no storage provider",
    }
    assert await keeping.world.storage.scan("", limit=1) == []


async def test_bytes_are_as_many_as_they_are() -> None:
    keeping = await Keeping().open(alice, bob)
    await keeping.store(DATA, alice)
    error = await keeping.error("space/blob/add", bob, blob={"digest": DIGEST, "size": SIZE + 1})
    assert error["name"] == "SizeMismatch"
    assert isinstance(await keeping.world.state(bob.did, DATA), SizeMismatch)
    assert await keeping.world.ledger(bob.did) == (ROOM, 0, 0)


async def test_one_upload_has_one_size() -> None:
    keeping = await Keeping().open()
    await keeping.add(DATA)
    error = await keeping.error("space/blob/add", blob={"digest": DIGEST, "size": SIZE + 1})
    assert error == {
        "name": "SizeMismatch",
        "message": f"an upload of these bytes is under way, declared as {SIZE}",
    }


@pytest.mark.parametrize("can", ["space/blob/get/0/1", "space/blob/remove", "space/blob/add"])
@pytest.mark.parametrize("digest", [b"", DIGEST[:-1], b"\x11\x14" + bytes(20)])
async def test_what_is_not_named_by_a_sha2_256_hash_is_refused(can: str, digest: bytes) -> None:
    keeping = await Keeping().open()
    nb: dict[str, Any] = (
        {"blob": {"digest": digest, "size": 1}} if can.endswith("add") else {"digest": digest}
    )
    assert "sha2-256" in (await keeping.error(can, **nb))["message"]


# What there is


async def test_what_is_known_of_a_blob_is_shown_from_its_allocation_on() -> None:
    keeping = await Keeping().open()
    asked = keeping.asks_to_add(DATA)
    await keeping.execute(asked)

    shown = await keeping.ok("space/blob/get/0/1", digest=DIGEST)

    assert shown == {
        "blob": blob_of(DATA),
        "cause": asked.link,
        "insertedAt": "2023-11-14T22:13:20.000Z",
    }
    assert (await keeping.ok("space/blob/list"))["results"] == [shown]
    await keeping.store(DATA)
    assert await keeping.ok("space/blob/get/0/1", digest=DIGEST) == shown


async def test_what_is_not_there_is_not_found() -> None:
    keeping = await Keeping().open(space, alice)
    await keeping.store(DATA, alice)
    error = await keeping.error("space/blob/get/0/1", digest=DIGEST)
    assert error == {
        "name": "BlobNotFound",
        "message": "blob not found: zQmZJRhwHKeL15iFK8P3tEJH5iUCNtoedq2Yt3vLca2NuUm",
    }


async def test_an_empty_list_says_just_that() -> None:
    assert await (await Keeping().open()).ok("space/blob/list") == {"size": 0, "results": []}


async def test_a_list_is_read_page_by_page_and_back() -> None:
    keeping = await Keeping().open()
    things = [b"%d" % number for number in range(5)]
    for data in things:
        await keeping.store(data)
    newest_first = [multihash(data) for data in reversed(things)]

    async def page(**nb: Any) -> tuple[list[Any], Any]:
        found = await keeping.ok("space/blob/list", size=2, **nb)
        return [item["blob"]["digest"] for item in found["results"]], found

    first, at_first = await page()
    second, at_second = await page(cursor=at_first["cursor"])
    third, at_third = await page(cursor=at_second["after"])
    assert first + second + third == newest_first
    assert (await page(cursor=at_third["cursor"]))[1] == {"size": 0, "results": []}
    back, at_back = await page(cursor=at_second["before"], pre=True)
    assert back == first
    assert (at_back["before"], at_back["after"]) == (at_first["before"], at_first["after"])
    assert (await page(cursor=at_first["before"], pre=True))[1] == {"size": 0, "results": []}
    error = await keeping.error("space/blob/list", cursor="yesterday")
    assert error["message"] == "'yesterday' is not a cursor of this list"


# Letting go


@pytest.mark.parametrize("is_put", [False, True])
async def test_what_is_removed_is_gone_and_can_be_added_anew(is_put: bool) -> None:
    keeping = await Keeping().open()
    async with keeping.world.running():
        first = await (keeping.store(DATA) if is_put else keeping.add(DATA))

        assert await keeping.ok("space/blob/remove", digest=DIGEST) == {"size": SIZE}

        assert await keeping.ok("space/blob/list") == {"size": 0, "results": []}
        assert await keeping.world.ledger(space.did) == (ROOM, 0, 0)
        accepted = await keeping.settled(first.accept)
        assert ("ok" in accepted) == is_put, "what was said once stands"
        await keeping.world.pass_time(200_000)
        assert keeping.world.bucket.stored == {}

        second = await keeping.store(DATA)
        assert second.allocated["size"] == SIZE
        assert "ok" in await keeping.settled(second.accept)
        assert await keeping.settled(first.accept) == accepted
        assert await keeping.world.ledger(space.did) == (ROOM, 0, SIZE)


async def test_what_is_not_there_is_removed_all_the_same() -> None:
    keeping = await Keeping().open()
    assert await keeping.ok("space/blob/remove", digest=DIGEST) == {"size": 0}
    await keeping.store(DATA)
    await keeping.ok("space/blob/remove", digest=DIGEST)
    assert await keeping.ok("space/blob/remove", digest=DIGEST) == {"size": 0}


async def test_both_faces_share_the_bytes_and_the_charge_and_are_let_go_of_apart() -> None:
    keeping = await Keeping().open()
    link = link_to(DATA, CAR)
    stored = await keeping.ok("store/add", link=link, size=SIZE)
    assert (stored["status"], stored["allocated"]) == ("upload", SIZE)

    added = await keeping.store(DATA)

    assert added.allocated["size"] == 0
    assert added.allocated["address"]["url"] == stored["url"]
    assert await keeping.world.ledger(space.did) == (ROOM, 0, SIZE)
    again = await keeping.ok("store/add", link=link, size=SIZE)
    assert (again["status"], again["allocated"]) == ("done", 0)

    assert await keeping.ok("space/blob/remove", digest=DIGEST) == {"size": SIZE}
    assert await digests(keeping) == []
    assert [item["link"] for item in (await keeping.ok("store/list"))["results"]] == [link]
    assert await keeping.world.ledger(space.did) == (ROOM, 0, SIZE)
    assert (await keeping.add(DATA)).allocated == {"size": 0}
    await keeping.ok("store/remove", link=link)
    assert await digests(keeping) == [DIGEST]
    await keeping.ok("space/blob/remove", digest=DIGEST)
    assert await keeping.world.ledger(space.did) == (ROOM, 0, 0)


async def test_a_face_that_is_let_go_of_waits_for_nothing_though_the_other_does() -> None:
    keeping = await Keeping().open()
    await keeping.ok("store/add", link=link_to(DATA, CAR), size=SIZE)
    added = await keeping.add(DATA)
    await keeping.ok("space/blob/remove", digest=DIGEST)
    refused = await keeping.settled(added.accept)
    assert refused["error"]["name"] == "AllocatedMemoryHadNotBeenWrittenTo"

    keeping.world.arrive(DATA)
    await keeping.conclude(added.put_done())

    assert await keeping.settled(added.accept) == refused
    assert (await keeping.ok("store/add", link=link_to(DATA, CAR), size=SIZE))["status"] == "done"
