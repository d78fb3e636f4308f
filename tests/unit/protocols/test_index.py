"""`space/index/add`: an index is believed once its slices were held against the bytes."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from support.eventually import eventually
from taijitu.actors import indexer
from taijitu.actors.indexer import OVERLAP_MAX, WAITING_OF_ONE_MAX, Indexer
from taijitu.engine.storage import SliceRow
from taijitu.ipld.cid import CAR, IDENTITY, RAW, Link, link_to, link_with, multihash
from taijitu.kernel.failures import Fault
from taijitu.machines.index import Examining, Known, Refused, index_at
from taijitu.protocols.execution import NotReady
from taijitu.protocols.index import Indexes
from taijitu.testing.world import name_of
from taijitu.wire import sharded_index
from taijitu.wire.sharded_index import INDEX_SIZE_MAX, Shard, Slice, encode
from unit.protocols.serving import Serving
from unit.ucan.people import alice, ask, cap, space

ROOM = 100_000_000
CONTENT = link_to(b"content", RAW)
BYTES = bytes(range(256)) * 40
SHARD = multihash(BYTES)


def piece(offset: int, length: int, data: bytes = BYTES) -> Slice:
    return Slice(multihash(data[offset : offset + length]), offset, length)


PIECES = (piece(0, 100), piece(100, 300), piece(5_000, 1_000), Slice(SHARD, 0, len(BYTES)))
INDEX = encode(CONTENT, [Shard(SHARD, PIECES)])
INDEX_HASH = multihash(INDEX)


def link(data: bytes) -> Link:
    return link_to(data, CAR)


def index_of(*slices: Slice, shard: bytes = BYTES) -> bytes:
    return encode(CONTENT, [Shard(multihash(shard), slices)])


class Indexing(Serving):
    """A service that knows indexes, and a space with room."""

    def __init__(self) -> None:
        super().__init__()
        self.indexes = Indexes(self.durable)
        self.begin(self.indexes)
        self.reads = 0
        self._count_reads()

    def _count_reads(self) -> None:
        bucket, read = self.world.bucket, self.world.bucket.read

        def counted(*given: Any) -> AsyncGenerator[bytes, None]:
            self.reads += 1
            return read(*given)

        bucket.read = counted  # type: ignore[method-assign]

    async def hold(self, *objects: bytes, owner: str = space.did) -> None:
        """Let a space store things, through the door of those who bring indexes."""
        for data in objects:
            await self.world.add(owner, data, face="blob")
            await self.world.upload(data)

    async def held(self, index: bytes) -> Link:
        await self.hold(index)
        return link(index)

    async def slices(self, each: Slice) -> list[SliceRow]:
        return list(await self.world.storage.slices(each.multihash, 10))

    async def state(self, index: bytes = INDEX) -> Any:
        return (await self.engine.read(index_at(space.did, name_of(index)))).state

    async def comes_to(self, wanted: Callable[[Any], bool]) -> None:
        """Wait until the cell of the index is as it is wanted."""
        await eventually(self.state, wanted, seconds=10)

    async def refused(self, index: bytes, **nb: Any) -> dict[str, Any]:
        await self.hold(index)
        return await self.error("space/index/add", index=link(index), **nb)


@pytest.fixture
async def serving() -> AsyncGenerator[Indexing]:
    serving = Indexing()
    await serving.world.provision(space.did, ROOM)
    async with serving.world.running():
        yield serving
    assert [trouble for trouble in serving.world.troubles if trouble[0] == "bug"] == []


async def test_every_slice_of_a_true_index_is_found_afterwards(serving: Indexing) -> None:
    await serving.hold(BYTES, INDEX)

    assert await serving.ok("space/index/add", index=link(INDEX)) == {}

    for each in PIECES:
        assert await serving.slices(each) == [
            SliceRow(each.multihash, SHARD, each.offset, each.length)
        ]
    (known,) = await serving.indexes.of(CONTENT, 10)
    assert (known.multihash, known.shards, known.slices) == (name_of(INDEX), 1, 4)
    other_codec = link_with(CONTENT.multihash, CAR)
    assert await serving.indexes.of(other_codec, 10) == [known]


async def test_a_shard_that_is_read_in_parts_is_one_and_its_parts_are_not_read_again(
    serving: Indexing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharded_index, "READ_AT_ONCE", 0)
    monkeypatch.setattr(sharded_index, "PART_SLICES", 1)
    await serving.hold(BYTES, INDEX)
    assert await serving.ok("space/index/add", index=link(INDEX)) == {}
    for each in PIECES:
        assert len(await serving.slices(each)) == 1
    (known,) = await serving.indexes.of(CONTENT, 10)
    assert (known.shards, known.slices) == (1, 4)
    serving.reads = 0
    assert await serving.ok("space/index/add", index=link(INDEX), content=CONTENT) == {}
    assert serving.reads == 1, "the index alone"


async def test_an_index_without_shards_is_true(serving: Indexing) -> None:
    index = encode(link(b"a CAR that nobody has stored"), [])
    await serving.hold(index)
    assert await serving.ok("space/index/add", index=link(index)) == {}


async def test_an_index_that_the_space_does_not_hold_is_not_found(serving: Indexing) -> None:
    await serving.world.provision(alice.did, ROOM)
    await serving.hold(BYTES, INDEX, owner=alice.did)

    error = await serving.error("space/index/add", index=link(INDEX))

    assert (error["name"], error["digest"]) == ("IndexNotFound", INDEX_HASH)
    assert error["message"] == f"index not found: {name_of(INDEX)}"
    inline = link_with(bytes([IDENTITY, 5]) + b"12345", CAR)
    assert (await serving.error("space/index/add", index=inline))["name"] == "IndexNotFound"
    long = link_with(bytes([IDENTITY, 0x80, 0x01]) + bytes(128), CAR)
    assert (await serving.error("space/index/add", index=long))["name"] == "IndexNotFound"


async def test_a_shard_that_the_space_does_not_hold_is_not_found(serving: Indexing) -> None:
    await serving.world.provision(alice.did, ROOM)
    await serving.hold(BYTES, owner=alice.did)
    await serving.hold(INDEX)

    error = await serving.error("space/index/add", index=link(INDEX))

    assert (error["name"], error["digest"]) == ("ShardNotFound", SHARD)
    assert error["message"] == f"shard not found: {name_of(BYTES)}"
    assert await serving.slices(PIECES[0]) == []


async def test_a_shard_by_another_hash_is_not_found(serving: Indexing) -> None:
    strange = bytes([IDENTITY, 3]) + b"abc"
    error = await serving.refused(encode(CONTENT, [Shard(strange, ())]))
    assert (error["name"], error["digest"]) == ("ShardNotFound", strange)


async def test_what_was_refused_is_true_once_it_is(serving: Indexing) -> None:
    await serving.hold(INDEX)
    assert (await serving.error("space/index/add", index=link(INDEX)))["name"] == "ShardNotFound"
    await serving.hold(BYTES)
    assert await serving.ok("space/index/add", index=link(INDEX)) == {}


async def test_a_slice_that_is_not_there_is_a_lie(serving: Indexing) -> None:
    await serving.hold(BYTES)
    lie = Slice(piece(7, 50).multihash, 8, 50)

    error = await serving.refused(index_of(piece(0, 100), lie))

    assert (error["name"], error["digest"]) == ("SliceMismatch", SHARD)
    assert error["message"].startswith("the 50 bytes at 8 of zQm")
    assert await serving.slices(lie) == []


async def test_a_shard_is_not_all_of_another(serving: Indexing) -> None:
    await serving.hold(BYTES)
    error = await serving.refused(index_of(Slice(multihash(b"other"), 0, len(BYTES))))
    assert error["name"] == "SliceMismatch"
    error = await serving.refused(index_of(Slice(multihash(b"not empty"), 5, 0)))
    assert error["name"] == "SliceMismatch"


async def test_a_slice_outside_of_its_shard_is_refused(serving: Indexing) -> None:
    await serving.hold(BYTES)
    error = await serving.refused(index_of(Slice(multihash(b""), len(BYTES) + 1, 0)))
    assert (error["name"], error["digest"]) == ("SliceOutOfRange", SHARD)
    error = await serving.refused(index_of(Slice(SHARD, 1, len(BYTES))))
    assert error["name"] == "SliceOutOfRange"
    assert (
        await serving.ok(
            "space/index/add", index=await serving.held(index_of(piece(len(BYTES), 0)))
        )
        == {}
    )


async def test_slices_that_overlap_without_end_are_refused_unread(serving: Indexing) -> None:
    await serving.hold(BYTES)
    long = len(BYTES) - 10
    before = serving.reads
    error = await serving.refused(index_of(*(piece(at, long) for at in range(OVERLAP_MAX + 1))))
    assert error["name"] == "SlicesOverlap"
    assert serving.reads == before + 1, "the index alone was read"
    some = index_of(*(piece(at, long) for at in range(OVERLAP_MAX)))
    assert await serving.ok("space/index/add", index=await serving.held(some)) == {}


async def test_what_nobody_can_check_is_left_out(serving: Indexing) -> None:
    await serving.hold(BYTES)
    unknown = Slice(bytes([0x1E, 32]) + bytes(32), 0, 10)
    index = index_of(unknown, piece(0, 10))
    assert await serving.ok("space/index/add", index=await serving.held(index)) == {}
    assert await serving.slices(unknown) == []
    assert (await serving.state(index)).slices == 1


async def test_what_is_no_index_is_refused_in_the_words_that_clients_know(
    serving: Indexing,
) -> None:
    error = await serving.refused(b"no index")
    assert (error["name"], error["digest"]) == ("DecodeFailure", multihash(b"no index"))


async def test_an_index_that_is_too_large_is_not_even_read(serving: Indexing) -> None:
    error = await serving.refused(bytes(INDEX_SIZE_MAX + 1))
    assert error["name"] == "IndexTooLarge"
    assert serving.reads == 0


async def test_an_index_of_other_content_than_was_said_is_refused(serving: Indexing) -> None:
    await serving.hold(BYTES, INDEX)
    right = await serving.ok("space/index/add", index=link(INDEX), content=CONTENT)
    assert right == {}
    wrong = await serving.error("space/index/add", index=link(INDEX), content=link_to(b"x", RAW))
    assert wrong["name"] == "ContentMismatch"
    assert isinstance(await serving.state(), Known)


async def test_the_same_invocation_gets_the_same_receipt(serving: Indexing) -> None:
    await serving.hold(BYTES, INDEX)
    asked = ask(space, cap("space/index/add", index=link(INDEX)))
    first, again = await serving.send(asked), await serving.send(asked)
    assert first.link == again.link
    assert first.is_ok


async def test_what_was_checked_is_not_read_again(serving: Indexing) -> None:
    """The index alone is read: for another invocation, another space and another index."""
    await serving.hold(BYTES, INDEX)
    await serving.ok("space/index/add", index=link(INDEX))
    before = serving.reads
    await serving.ok("space/index/add", index=link(INDEX))
    assert serving.reads == before + 1

    await serving.world.provision(alice.did, ROOM)
    await serving.hold(BYTES, INDEX, owner=alice.did)
    await serving.ok("space/index/add", alice, index=link(INDEX))
    assert serving.reads == before + 2

    less = await serving.held(index_of(PIECES[2], PIECES[0]))
    await serving.ok("space/index/add", index=less)
    assert serving.reads == before + 3
    assert len(await serving.indexes.of(CONTENT, 10)) == 3
    assert len(await serving.slices(PIECES[0])) == 1


async def test_many_who_ask_at_once_are_answered_by_few_looks(serving: Indexing) -> None:
    await serving.hold(BYTES, INDEX)
    asked = [serving.ok("space/index/add", index=link(INDEX)) for _ in range(20)]
    assert await asyncio.gather(*asked) == [{}] * 20
    assert serving.reads <= 6


async def test_whoever_asks_while_somebody_looks_is_not_refused_for_what_was(
    serving: Indexing,
) -> None:
    """The shard came after the look began, and before he asked."""
    await serving.hold(INDEX)
    looked, go_on = asyncio.Event(), asyncio.Event()
    actor = serving.engine.actors["index/examine"]
    assert isinstance(actor, Indexer)
    size_in = actor.size_in

    async def slow(owner: str, name: bytes) -> int | None:
        found = await size_in(owner, name)
        if name == SHARD:
            looked.set()
            await go_on.wait()
        return found

    actor.size_in = slow  # type: ignore[method-assign]
    first = asyncio.create_task(serving.ok("space/index/add", index=link(INDEX)))
    await looked.wait()
    await serving.hold(BYTES)
    second = asyncio.create_task(serving.ok("space/index/add", index=link(INDEX)))
    await serving.comes_to(lambda state: isinstance(state, Examining) and bool(state.asked_again))
    go_on.set()
    assert await asyncio.gather(first, second) == [{}, {}]


async def test_whoever_waits_too_long_is_told_to_ask_again_and_the_work_goes_on(
    serving: Indexing,
) -> None:
    await serving.hold(BYTES, INDEX)
    go_on = asyncio.Event()
    actor = serving.engine.actors["index/examine"]
    assert isinstance(actor, Indexer)
    size_in = actor.size_in

    async def slow(owner: str, name: bytes) -> int | None:
        await go_on.wait()
        return await size_in(owner, name)

    actor.size_in = slow  # type: ignore[method-assign]
    asked = ask(space, cap("space/index/add", index=link(INDEX)))
    waiting = asyncio.create_task(serving.send(asked))
    await serving.comes_to(lambda state: isinstance(state, Examining))
    serving.world.clock.advance(10_000)
    with pytest.raises(NotReady):
        await waiting
    go_on.set()
    await serving.world.quiet()
    assert isinstance(await serving.state(), Known)
    assert (await serving.send(asked)).is_ok


async def test_a_long_look_goes_on_where_it_stopped(
    serving: Indexing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try has time for one read, and what it found is written down."""
    monkeypatch.setattr(indexer, "TRY_SECONDS_MAX", -1)
    monkeypatch.setattr("taijitu.actors.slices.GAP_MAX", 10)
    await serving.hold(BYTES, INDEX)
    asked = asyncio.create_task(serving.ok("space/index/add", index=link(INDEX)))
    tries = 0
    while not asked.done():
        tries += 1
        assert tries < 50
        await serving.world.pass_time(1_000)
    assert await asked == {}
    troubles = [str(why) for _, _, why in serving.world.troubles]
    assert len(troubles) == 2
    assert all("a long index" in why for why in troubles)
    assert len(await serving.slices(PIECES[2])) == 1


async def test_a_read_that_fails_is_tried_again(serving: Indexing) -> None:
    await serving.hold(BYTES, INDEX)
    read, fails = serving.world.bucket.read, [Fault("the bucket does not answer")]

    def failing(*given: Any) -> AsyncGenerator[bytes, None]:
        if fails:
            raise fails.pop()
        return read(*given)

    serving.world.bucket.read = failing  # type: ignore[method-assign]
    asked = asyncio.create_task(serving.ok("space/index/add", index=link(INDEX)))
    await serving.comes_to(lambda _: bool(serving.world.troubles))
    assert isinstance(await serving.state(), Examining)
    await serving.world.pass_time(1_000)
    assert await asked == {}


async def test_with_the_bytes_goes_what_was_known_of_them(serving: Indexing) -> None:
    await serving.hold(BYTES, INDEX)
    await serving.ok("space/index/add", index=link(INDEX))

    await serving.world.remove(space.did, BYTES, face="blob")
    await serving.world.pass_time(200_000)
    assert multihash(BYTES) not in serving.world.bucket.stored
    assert await serving.slices(PIECES[0]) == []
    assert (await serving.error("space/index/add", index=link(INDEX)))["name"] == "ShardNotFound"
    assert isinstance(await serving.state(), Refused)
    assert await serving.indexes.of(CONTENT, 10) == []

    await serving.hold(BYTES)
    assert await serving.ok("space/index/add", index=link(INDEX)) == {}
    assert len(await serving.slices(PIECES[0])) == 1


async def test_nothing_is_left_of_bytes_that_go_while_somebody_looks(
    serving: Indexing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He has read them, and is about to write down what is true of them."""
    await serving.hold(BYTES, INDEX)
    write = indexer.Examination.write

    async def too_late(look: indexer.Examination) -> None:
        await serving.world.remove(space.did, BYTES, face="blob")
        await write(look)

    monkeypatch.setattr(indexer.Examination, "write", too_late)
    asked = asyncio.create_task(serving.invoke("space/index/add", index=link(INDEX)))
    await serving.comes_to(lambda _: bool(serving.world.troubles))
    assert await serving.slices(PIECES[0]) == []
    asked.cancel()


async def test_one_space_does_not_take_all_the_turns(serving: Indexing) -> None:
    actor = Indexer(serving.world.bucket, never, serving.world.storage, never)
    looks = [asyncio.create_task(actor.in_turn(space.did, INDEX_HASH)) for _ in range(30)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    turned_away = [each for each in looks if each.done()]
    assert len(turned_away) == 30 - (1 + WAITING_OF_ONE_MAX)
    assert all(isinstance(each.exception(), Fault) for each in turned_away)
    other = asyncio.create_task(actor.in_turn(alice.did, INDEX_HASH))
    await asyncio.sleep(0)
    assert not other.done()
    for each in (*looks, other):
        each.cancel()
    await asyncio.gather(*looks, other, return_exceptions=True)
    assert actor.admitted.total() == 0


async def never(*_: Any) -> Any:
    await asyncio.Event().wait()
