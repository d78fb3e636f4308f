"""What `space/blob/add` promises is kept, whoever asks, whatever comes late, and over restarts."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.blobs import Added
from taijitu.ipld.cid import multihash
from taijitu.kernel.failures import Fault
from taijitu.machines.entry import ACTIVE_MS_MAX, FACES_MAX, Expired, Receiving, Stored, Unavailable
from taijitu.protocols.durable import ANSWER_MS_MAX
from taijitu.protocols.execution import NotReady
from taijitu.protocols.promises import Promises, Request
from taijitu.testing.world import GRACE_MS, WINDOW_MS
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.signer import Signer
from unit.protocols.blobs import ROOM, Keeping, read
from unit.ucan.people import service, space

DATA = b"some bytes that are promised a place"
SIZE = len(DATA)
NEARLY_OVER_MS = WINDOW_MS * 19 // 20
NOT_FOUND = {"error": {"name": "AllocatedMemoryHadNotBeenWrittenTo", "message": "Blob not found"}}


@contextmanager
def bucket_out_of_reach(keeping: Keeping) -> Iterator[None]:
    """Nobody can find out whether the bytes are there."""
    bucket = keeping.world.bucket
    real = bucket.stat, bucket.stat_now

    async def stat(multihash: bytes) -> int | None:
        raise Fault(f"{multihash.hex()} is out of reach")

    def stat_now(multihash: bytes) -> int | None:
        raise Fault(f"{multihash.hex()} is out of reach")

    bucket.stat, bucket.stat_now = stat, stat_now
    try:
        yield
    finally:
        bucket.stat, bucket.stat_now = real


async def is_told_to_ask_again(keeping: Keeping, asked: Delegation) -> None:
    asking = asyncio.create_task(keeping.execute(asked))
    await keeping.world.quiet()
    await keeping.world.pass_time(ANSWER_MS_MAX + 1)
    with pytest.raises(NotReady):
        await asking


async def gets_no_answer(keeping: Keeping, asked: Delegation) -> None:
    """It is asked, and told to ask again; then the entry gives up."""
    await is_told_to_ask_again(keeping, asked)
    await keeping.world.pass_time(ACTIVE_MS_MAX)
    assert isinstance(await keeping.world.state(space.did, DATA), Unavailable)


def addressed(added: Added) -> str:
    return added.allocated["address"]["url"]


async def test_the_tasks_follow_from_the_invocation_and_nothing_else() -> None:
    keeping = await Keeping().open()
    asked = keeping.asks_to_add(DATA)

    added = read(await keeping.execute(asked))

    request = Request(space.did, multihash(DATA), SIZE, asked.link)
    elsewhere = Promises(service).of(request)
    assert [task.link for task in added.tasks] == [task.link for task in elsewhere.tasks]
    assert all(task.expiration is None for task in added.tasks)
    key = Signer.from_seed(multihash(DATA)[-32:])
    assert (added.put.issuer, added.put_done().issuer) == (key.did, key.did)
    awaited = added.put.capabilities[0].nb
    assert awaited["url"] == {"ucan/await": [".out.ok.address.url", added.allocate.link]}
    assert awaited["headers"] == {"ucan/await": [".out.ok.address.headers", added.allocate.link]}
    accept = added.accept.capabilities[0].nb
    assert accept["_put"] == {"ucan/await": [".out.ok", added.put.link]}


async def test_a_task_has_a_receipt_once_it_is_over_and_not_before() -> None:
    keeping = await Keeping().open()

    added = await keeping.add(DATA)

    allocated = {"ok": added.allocated}
    assert await keeping.all_settled(added.tasks) == [allocated, None, None]
    assert added.said.keys() == {added.allocate.link}
    keeping.world.arrive(DATA)
    assert await keeping.all_settled(added.tasks) == [allocated, None, None], "nobody has looked"
    await keeping.conclude(added.put_done())
    settled = await keeping.all_settled(added.tasks)
    assert settled[:2] == [allocated, {"ok": {}}]
    assert settled[2].keys() == {"ok"}


async def test_who_joins_an_upload_waits_for_the_same_and_takes_no_more_room() -> None:
    keeping = await Keeping().open()
    first = await keeping.add(DATA)

    second = await keeping.add(DATA)

    assert (second.put.link, second.accept.link) == (first.put.link, first.accept.link)
    assert second.allocate.link != first.allocate.link
    assert second.allocated == {**first.allocated, "size": 0}
    assert await keeping.settled(second.allocate) == {"ok": second.allocated}
    assert await keeping.world.ledger(space.did) == (ROOM, SIZE, 0)
    assert isinstance(await keeping.world.state(space.did, DATA), Receiving)
    keeping.world.arrive(DATA)
    await keeping.conclude(second.put_done())
    assert "ok" in await keeping.settled(first.accept)


async def test_many_who_add_at_once_take_the_room_of_one() -> None:
    keeping = await Keeping().open()
    added = await asyncio.gather(*[keeping.add(DATA) for _ in range(20)])
    assert sorted(each.allocated["size"] for each in added) == [0] * 19 + [SIZE]
    assert len({each.accept.link for each in added}) == 1


@pytest.mark.parametrize("after_ms", [NEARLY_OVER_MS, WINDOW_MS + 1, WINDOW_MS + GRACE_MS - 1])
async def test_a_url_that_is_nearly_over_or_just_is_is_renewed_and_both_promises_are_kept(
    after_ms: int,
) -> None:
    keeping = await Keeping().open()
    async with keeping.world.running():
        first = await keeping.add(DATA)
        await keeping.world.pass_time(after_ms)

        second = await keeping.add(DATA)

        assert addressed(second) != addressed(first)
        assert second.allocated["size"] == 0
        assert second.accept.link != first.accept.link
        await keeping.world.pass_time(WINDOW_MS + GRACE_MS - after_ms)
        assert await keeping.settled(first.accept) is None, "it may still come by the second URL"
        keeping.world.arrive(DATA)
        await keeping.conclude(second.put_done())
        assert "ok" in await keeping.settled(second.accept)
        assert await keeping.settled(first.accept) == await keeping.settled(second.accept)
        assert await keeping.settled(first.put) == {"ok": {}}
        assert await keeping.world.ledger(space.did) == (ROOM, 0, SIZE)


async def test_a_promise_is_renewed_so_often_and_then_the_older_ones_end() -> None:
    keeping = await Keeping().open()
    made: list[Added] = []
    async with keeping.world.running():
        for _ in range(FACES_MAX + 2):
            made.append(await keeping.add(DATA))
            await keeping.world.pass_time(NEARLY_OVER_MS)
        keeping.world.arrive(DATA)
        await keeping.conclude(made[-1].put_done())
    ended = [await keeping.settled(each.accept) for each in made]
    assert [each == NOT_FOUND for each in ended] == [
        *(False, True, True),
        *[False] * (FACES_MAX - 1),
    ]


async def test_bytes_that_never_come_are_said_not_to_have_come() -> None:
    keeping = await Keeping().open()
    async with keeping.world.running():
        first = await keeping.add(DATA)
        await keeping.world.pass_time(WINDOW_MS + GRACE_MS)
        assert isinstance(await keeping.world.state(space.did, DATA), Expired)
        assert await keeping.settled(first.accept) == NOT_FOUND
        assert await keeping.settled(first.put) is None
        assert await keeping.world.ledger(space.did) == (ROOM, 0, 0)

        second = await keeping.store(DATA)

        assert second.allocated["size"] == SIZE
        assert "ok" in await keeping.settled(second.accept)
        assert await keeping.settled(first.accept) == NOT_FOUND


async def test_who_was_told_nothing_is_promised_all_when_asking_the_same_again() -> None:
    keeping = await Keeping().open()
    asked = keeping.asks_to_add(DATA)
    async with keeping.world.running():
        with bucket_out_of_reach(keeping):
            await gets_no_answer(keeping, asked)

        added = read(await keeping.execute(asked))

        keeping.world.arrive(DATA)
        await keeping.conclude(added.put_done())
        assert "ok" in await keeping.settled(added.accept)


async def test_who_asks_again_is_promised_his_own_though_others_came_since() -> None:
    keeping = await Keeping().open()
    asked = keeping.asks_to_add(DATA)
    async with keeping.world.running():
        with bucket_out_of_reach(keeping):
            await is_told_to_ask_again(keeping, asked)
        await keeping.world.pass_time(NEARLY_OVER_MS)
        assert isinstance(await keeping.world.state(space.did, DATA), Receiving)
        await keeping.world.pass_time(NEARLY_OVER_MS)
        other = await keeping.add(DATA)

        added = read(await keeping.execute(asked))

        own = Promises(service).of(Request(space.did, multihash(DATA), SIZE, asked.link))
        assert [task.link for task in added.tasks] == [task.link for task in own.tasks]
        assert added.accept.link != other.accept.link
        assert addressed(added) == addressed(other)
        keeping.world.arrive(DATA)
        await keeping.conclude(other.put_done())
        assert "ok" in await keeping.settled(added.accept)


async def test_who_had_no_answer_when_it_was_over_is_told_just_that() -> None:
    keeping = await Keeping().open()
    asked = keeping.asks_to_add(DATA)
    async with keeping.world.running():
        with bucket_out_of_reach(keeping):
            await is_told_to_ask_again(keeping, asked)
        await keeping.world.pass_time(ACTIVE_MS_MAX - ANSWER_MS_MAX - 2)
        assert isinstance(await keeping.world.state(space.did, DATA), Receiving)
        await keeping.world.pass_time(2 * WINDOW_MS + GRACE_MS)
        assert isinstance(await keeping.world.state(space.did, DATA), Expired)

        assert (await keeping.execute(asked)).receipt.out == NOT_FOUND

        assert isinstance(await keeping.world.state(space.did, DATA), Expired)
        assert (await keeping.store(DATA)).allocated["size"] == SIZE


async def test_of_two_who_wait_only_who_was_promised_something_hears_of_the_end() -> None:
    keeping = await Keeping().open()
    async with keeping.world.running():
        first = await keeping.add(DATA)
        await keeping.world.pass_time(NEARLY_OVER_MS)
        asked = keeping.asks_to_add(DATA)
        with bucket_out_of_reach(keeping):
            await gets_no_answer(keeping, asked)
        assert await keeping.settled(first.accept) == NOT_FOUND

        second = read(await keeping.execute(asked))

        assert second.allocated["size"] == SIZE
        keeping.world.arrive(DATA)
        await keeping.conclude(second.put_done())
        assert "ok" in await keeping.settled(second.accept)


async def test_bytes_that_come_after_a_removal_are_not_accepted() -> None:
    keeping = await Keeping().open()
    async with keeping.world.running():
        added = await keeping.add(DATA)
        await keeping.ok("space/blob/remove", digest=multihash(DATA))
        assert await keeping.settled(added.accept) == NOT_FOUND

        keeping.world.arrive(DATA)
        assert "ok" in await keeping.conclude(added.put_done())

        assert await keeping.settled(added.accept) == NOT_FOUND
        assert await keeping.world.ledger(space.did) == (ROOM, 0, 0)
        await keeping.world.pass_time(WINDOW_MS + GRACE_MS)
        assert keeping.world.bucket.stored == {}


async def test_a_promise_outlives_the_service_that_made_it() -> None:
    keeping = await Keeping().open()
    asked = keeping.asks_to_add(DATA)
    before = await keeping.execute(asked)

    after = keeping.restarted()
    again = await after.execute(asked)

    assert again.receipt.data == before.receipt.data
    assert again.blocks == before.blocks, "with all that the receipt needs"
    keeping.world.arrive(DATA)
    added = read(again)
    assert "ok" in await after.conclude(added.put_done())
    accepted = await after.settled(added.accept)
    assert "ok" in accepted

    last = after.restarted()
    assert await last.settled(added.accept) == accepted
    assert "ok" in await last.conclude(added.put_done())
    assert await last.all_settled(added.tasks) == await after.all_settled(added.tasks)
    assert (await last.execute(asked)).receipt.data == before.receipt.data
    assert isinstance(await last.world.state(space.did, DATA), Stored)
