"""What came as a bare CAR is looked through, once, and what is found outlives every crash."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from msgspec import to_builtins

from support.eventually import eventually
from taijitu.actors import scanner, sections
from taijitu.actors.audit import DESCRIBED_MS_MAX, Audit
from taijitu.cli.waiting import told
from taijitu.engine.actor import Assignment
from taijitu.engine.storage import SliceRow
from taijitu.ipld.cid import multihash
from taijitu.kernel.failures import Fault
from taijitu.kernel.receipt import Receipt, failure
from taijitu.machines import contents, entry
from taijitu.machines.contents import LOOK, Read, Reading, Refused, Scan, Tally, Unread, contents_at
from taijitu.server.waiting import waiting
from taijitu.testing.world import name_of
from unit.actors.cars import BLOCKS, car_of, places, raw
from unit.actors.scanning import CAR, ROOM, SIZE, Scanning
from unit.ucan.people import alice, bob

READ = Read(len(BLOCKS), SIZE, 1, 0, LOOK)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Scanning]:
    """A world in which no CAR is small."""
    monkeypatch.setattr(scanner, "SMALL", 0)
    world = Scanning()
    for space in (alice, bob):
        await world.provision(space.did, ROOM)
    async with world.running():
        yield world
    assert [trouble for trouble in world.troubles if trouble[0] == "bug"] == []


async def test_every_block_of_a_bare_car_is_found_once_it_is_stored(world: Scanning) -> None:
    await world.add(alice.did, CAR)
    await world.quiet()
    assert (await world.contents(), world.scans) == (Unread(), [])

    await world.upload(CAR)
    await world.quiet()

    assert await world.contents() == READ
    assert await world.found() == places(CAR, BLOCKS)
    assert await world.storage.slices(raw(BLOCKS[3]).multihash, 10) == [
        SliceRow(places(CAR, BLOCKS)[3][0], multihash(CAR), *places(CAR, BLOCKS)[3][1:])
    ]


async def test_whoever_stores_the_same_car_later_makes_nobody_look(world: Scanning) -> None:
    await world.store()
    await world.store(space=bob.did)
    assert world.scans == [Tally()]


async def test_bytes_that_came_as_a_blob_are_described_by_their_index(world: Scanning) -> None:
    await world.store(face="blob")
    assert (await world.contents(), world.scans) == (Unread(), [])


async def test_a_blob_that_comes_back_without_its_index_is_looked_through(
    world: Scanning,
) -> None:
    """What the index once told was forgotten with the bytes, and nobody examines it again."""
    await world.store(face="blob")
    await world.remove(alice.did, CAR, face="blob")
    await world.pass_time(200_000)
    assert multihash(CAR) not in world.bucket.stored
    await world.store(face="blob")
    assert await world.contents() == READ
    assert await world.found() == places(CAR, BLOCKS)


async def test_a_blob_that_was_lost_is_looked_through_once_it_is_back(world: Scanning) -> None:
    await world.store(face="blob")
    del world.bucket.stored[multihash(CAR)]
    await Audit(world.engine, world.bucket).run()
    assert isinstance(await world.state(alice.did, CAR), entry.Lost)
    await world.store(face="blob")
    assert await world.found() == places(CAR, BLOCKS)


@pytest.mark.parametrize("first", ["blob", "store"])
async def test_what_comes_through_both_doors_is_looked_through_once(
    world: Scanning, first: entry.FaceName
) -> None:
    await world.store(face=first)
    await world.store(face="store" if first == "blob" else "blob")
    assert (await world.contents(), world.scans) == (READ, [Tally()])
    assert isinstance(await world.state(alice.did, CAR), entry.Stored)
    assert await world.ledger(alice.did) == (ROOM, 0, len(CAR))


async def test_bytes_that_are_no_car_stay_stored(world: Scanning) -> None:
    data = b"these bytes are just bytes" * 10
    await world.store(data)
    assert isinstance(await world.contents(data), Refused)
    assert isinstance(await world.state(alice.did, data), entry.Stored)
    await world.store(data, space=bob.did)
    assert len(world.scans) == 1, "they will not be another time either"


async def test_blocks_before_a_flaw_are_found(world: Scanning) -> None:
    data = car_of(*BLOCKS[:3])
    wrong = data + car_of(b"wrong").replace(b"wrong", b"right")[len(car_of()) :]
    await world.store(wrong)
    state = await world.contents(wrong)
    assert isinstance(state, Refused)
    assert state.why == f"the 5 bytes at {len(wrong) - 5} are not those that their link names"
    assert await world.found(wrong) == places(wrong, BLOCKS[:3])


async def test_with_the_bytes_goes_what_was_known_of_them(world: Scanning) -> None:
    await world.store()
    await world.remove(alice.did, CAR)
    await world.pass_time(200_000)
    assert multihash(CAR) not in world.bucket.stored
    assert (await world.contents(), await world.found()) == (Unread(), [])

    await world.store()
    assert await world.found() == places(CAR, BLOCKS)
    assert len(world.scans) == 2


async def test_what_another_space_still_holds_stays_known(world: Scanning) -> None:
    await world.store()
    await world.store(space=bob.did)
    await world.remove(alice.did, CAR)
    await world.pass_time(200_000)
    assert await world.found() == places(CAR, BLOCKS)
    assert isinstance(await world.contents(), Read)


async def test_a_long_car_is_looked_through_in_turns(
    world: Scanning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn is over at once here: each goes one step further, at least."""
    monkeypatch.setattr(scanner, "TRY_SECONDS_MAX", 0)
    monkeypatch.setattr(scanner, "READ_CHUNK", 100)
    await world.store()
    assert len(world.scans) > 3
    assert world.scans == sorted(world.scans, key=lambda tally: tally.start)
    assert await world.contents() == READ
    assert await world.found() == places(CAR, BLOCKS)


async def test_no_more_is_held_than_a_try_may(
    world: Scanning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanner, "HELD_MAX", 4)
    monkeypatch.setattr(scanner, "READ_CHUNK", 200)
    await world.store()
    assert len(world.scans) > 2
    assert all(later.blocks - tally.blocks <= 6 for tally, later in pairwise(world.scans))
    assert await world.found() == places(CAR, BLOCKS)


async def test_many_slices_are_written_in_pages(
    world: Scanning, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = [b"%030d" % number for number in range(5_000)]
    data = car_of(*blocks)
    pages: list[int] = []
    names: list[bytes] = []
    commit = world.storage.commit

    async def counting(batch: Any) -> None:
        pages.append(len(batch.slices))
        names.extend(row.multihash for row in batch.slices)
        assert not batch.slices or not isinstance(await world.contents(data), Read)
        await commit(batch)

    monkeypatch.setattr(world.storage, "commit", counting)
    await world.store(data)
    assert max(pages) <= scanner.WRITTEN_AT_ONCE
    assert sum(pages) == len(blocks)
    assert names == sorted(names), "neighbours in the database are written together"
    assert len(await world.found(data)) == len(blocks)


async def test_a_task_that_broke_off_is_done_again_with_the_same_outcome(world: Scanning) -> None:
    """As after a crash between the facts and the receipt: what was written is written again."""
    answers: list[Receipt | None] = []

    async def lost_at_first(assignment: Assignment) -> Receipt | None:
        answers.append(await world.counted(assignment))
        assert await world.found() == places(CAR, BLOCKS)
        if len(answers) == 1:
            raise Fault("the answer was lost")
        return answers[-1]

    world.scanner.run = lost_at_first
    await world.store()
    assert isinstance(await world.contents(), Reading)
    await world.pass_time(1_000)
    assert await world.contents() == READ
    assert answers[0] == answers[1]
    assert await world.found() == places(CAR, BLOCKS)


async def test_a_fault_is_tried_again(world: Scanning, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = world.bucket.stat

    async def failing(_: bytes) -> int | None:
        raise Fault("the disk does not answer")

    await world.add(alice.did, CAR)
    world.arrive(CAR)
    monkeypatch.setattr(scanner.Scanner, "answer", lambda *_: failing(b""))
    await world.pass_time(200_000)
    assert isinstance(await world.contents(), Reading)
    assert ("fault", "contents/scan") in {(kind, row.ability) for kind, row, _ in world.troubles}
    monkeypatch.undo()
    await world.pass_time(200_000)
    assert await world.contents() == READ
    assert world.bucket.stat == stat


async def test_whoever_asks_what_is_not_at_rest_is_told(world: Scanning) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def slowly(assignment: Assignment) -> Receipt | None:
        begun.set()
        await over.wait()
        return await world.counted(assignment)

    world.scanner.run = slowly
    await world.add(alice.did, CAR)
    await world.upload(CAR)
    await begun.wait()

    found = await waiting(world.engine, world.dispatcher, 10)

    (task,) = found.told
    assert (task.cell, task.state) == (contents_at(name_of(CAR)), "Reading")
    assert (task.ability, task.condition) == ("contents/scan", "running")
    assert "waits for a look through the blocks of the CAR" in told(to_builtins(found), task.since)
    over.set()
    await world.comes_to(Read)


async def test_a_car_that_ends_before_it_should_is_a_fault(world: Scanning) -> None:
    world.arrive(CAR)
    stored = world.bucket.stored
    size = len(CAR)

    async def promised(_: bytes) -> int:
        return size + 1

    world.bucket.stat = promised  # type: ignore[method-assign]
    task = Assignment(Scan(name_of(CAR), Tally()), "key", 0)
    stored[multihash(CAR)] = CAR[:-1]
    with pytest.raises(Fault, match="end too early"):
        await world.run_of(task)


async def test_bytes_that_are_gone_are_not_looked_for_again(world: Scanning) -> None:
    """Whoever asked for them to be described (an audit that came too late) is not told anything."""
    await world.engine.transact(contents_at(name_of(CAR)), contents.Describe(name_of(CAR)))
    await world.quiet()
    assert (await world.contents(), world.scans) == (Unread(), [Tally()])
    assert await world.storage.open_tasks() == []


async def test_bytes_that_come_while_somebody_finds_none_are_looked_through(
    world: Scanning,
) -> None:
    blind, seeing = asyncio.Event(), asyncio.Event()

    async def late(assignment: Assignment) -> Receipt | None:
        if blind.is_set():
            return await world.counted(assignment)
        blind.set()
        await seeing.wait()
        return failure("NotFound", "not there", gone=True)

    world.scanner.run = late
    path = contents_at(name_of(CAR))
    await world.engine.transact(path, contents.Describe(name_of(CAR)))
    await blind.wait()
    await world.add(alice.did, CAR)
    await world.upload(CAR)
    state = await world.contents()
    assert isinstance(state, Reading)
    assert state.asked_again
    seeing.set()
    await world.comes_to(Read)
    assert await world.found() == places(CAR, BLOCKS)


async def let_go(world: Scanning) -> None:
    await world.remove(alice.did, CAR)


async def deleted(world: Scanning) -> None:
    await let_go(world)
    world.clock.advance(200_000)
    await eventually(bytes_in(world), lambda found: found is None, seconds=10)


async def awaited_again(world: Scanning) -> None:
    await deleted(world)
    await world.add(alice.did, CAR)


def bytes_in(world: Scanning) -> Callable[[], Awaitable[int | None]]:
    return lambda: world.bucket.stat(multihash(CAR))


@pytest.mark.parametrize("happens", [let_go, deleted, awaited_again])
async def test_nothing_is_left_of_bytes_that_go_while_somebody_looks(
    world: Scanning, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Scanning], Awaitable[None]]
) -> None:
    """He has read them, and is about to write down what he found."""
    write = scanner.Look.write

    async def too_late(look: scanner.Look) -> None:
        await happens(world)
        await write(look)

    monkeypatch.setattr(scanner.Look, "write", too_late)
    await world.store()
    assert len(world.scans) == 1
    assert (await world.contents(), await world.found()) == (Unread(), [])
    assert not world.troubles


async def test_whoever_is_late_takes_nothing_from_those_who_looked_after_him(
    world: Scanning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes were deleted, stored and looked through once more while he was about to write."""
    write, turns = scanner.Look.write, iter((True, False))

    async def too_late(look: scanner.Look) -> None:
        if next(turns):
            await awaited_again(world)
            await world.upload(CAR)
            await world.comes_to(Read)
        await write(look)

    monkeypatch.setattr(scanner.Look, "write", too_late)
    await world.store()
    assert len(world.scans) == 2
    assert await world.contents() == READ
    assert await world.found() == places(CAR, BLOCKS)


async def test_what_the_disk_has_lost_is_forgotten_once_somebody_sees_it(world: Scanning) -> None:
    await world.store()
    del world.bucket.stored[multihash(CAR)]
    await Audit(world.engine, world.bucket).run()
    await world.pass_time(200_000)
    assert isinstance(await world.state(alice.did, CAR), entry.Lost)
    assert (await world.contents(), await world.found()) == (Unread(), [])


async def test_what_is_known_of_bytes_that_vanished_before_their_sweep_is_forgotten_by_an_audit(
    world: Scanning,
) -> None:
    """Alice's sweep came while Bob had them, and Bob's, for whom there never was a URL, to nothing:
    the clock had been set back. An audit that looked at the bucket alone would not miss them."""
    await world.store()
    await world.store(space=bob.did)
    await world.pass_time(200_000)
    await world.remove(alice.did, CAR)
    await world.quiet()
    world.clock.time -= 250_000
    await world.remove(bob.did, CAR)
    await world.quiet()
    del world.bucket.stored[multihash(CAR)]
    assert (await world.contents(), await world.found()) == (READ, places(CAR, BLOCKS))

    await world.pass_time(300_000)
    assert (await Audit(world.engine, world.bucket).run()).swept == 1
    await world.quiet()
    assert (await world.contents(), await world.found()) == (Unread(), [])


async def test_an_audit_finds_cars_that_nobody_has_looked_through(world: Scanning) -> None:
    """Stored by a version that knew nothing of it: then no cell was asked."""
    data = [car_of(BLOCKS[0]), car_of(BLOCKS[1])]
    await world.store(data[0])
    await world.store(data[1], face="blob")
    await forgotten(world, data)

    audited = await Audit(world.engine, world.bucket).run()
    await world.quiet()

    assert (audited.entries, audited.described) == (2, 1)
    assert isinstance(await world.contents(data[0]), Read)
    assert await world.contents(data[1]) == Unread()
    again = await Audit(world.engine, world.bucket).run()
    assert again.described == 0


async def test_what_an_older_version_refused_is_looked_through_once_more(
    world: Scanning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a limit that is wider by now. What is still refused then stays so."""
    no_car = b"these bytes are just bytes" * 10
    with monkeypatch.context() as older:
        older.setattr(sections, "BLOCKS_MAX", 3)
        await world.store()
        await world.store(no_car)
    assert isinstance(await world.contents(), Refused)
    assert (await Audit(world.engine, world.bucket).run()).described == 0

    monkeypatch.setattr(contents, "LOOK", LOOK + 1)
    assert (await Audit(world.engine, world.bucket).run()).described == 2
    assert await world.contents() == Read(len(BLOCKS), SIZE, 1, 0, LOOK + 1)
    assert await world.found() == places(CAR, BLOCKS)
    assert isinstance(await world.contents(no_car), Refused)
    assert (await Audit(world.engine, world.bucket).run()).described == 0


async def test_what_an_older_version_left_out_is_looked_for_once_more(
    world: Scanning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stores it again makes somebody look as well; where nothing was left out, nobody."""
    with monkeypatch.context() as older:
        older.setattr(sections, "BLOCK_SIZE_MAX", 100)
        await world.store()
    await world.store(whole := car_of(b"nothing was left out here"))
    state = await world.contents()
    assert isinstance(state, Read)
    assert state.left_out > 0
    monkeypatch.setattr(contents, "LOOK", LOOK + 1)
    await world.store(space=bob.did)
    assert await world.contents() == Read(len(BLOCKS), SIZE, 1, 0, LOOK + 1)
    assert await world.found() == places(CAR, BLOCKS)
    assert (await Audit(world.engine, world.bucket).run()).described == 0
    assert await world.contents(whole) == Read(1, 25, 0, 0, LOOK)


async def test_an_audit_has_one_car_looked_through_after_the_other(world: Scanning) -> None:
    """So whoever stores a CAR meanwhile waits for one of them, and not for all."""
    data = [car_of(block) for block in BLOCKS]
    for each in data:
        await world.store(each)
    await forgotten(world, data)
    world.scans.clear()
    at_once: list[int] = []

    async def counting(assignment: Assignment) -> Receipt | None:
        rows = await world.storage.open_tasks()
        at_once.append(sum(row.ability == "contents/scan" for row in rows))
        return await world.counted(assignment)

    world.scanner.run = counting
    audited = await Audit(world.engine, world.bucket).run()
    assert audited.described == len(world.scans) == len(data)
    assert set(at_once) == {1}
    assert isinstance(await world.contents(data[-1]), Read)


async def test_an_audit_finds_what_is_lost_before_it_has_anything_looked_through(
    world: Scanning,
) -> None:
    data = [car_of(block) for block in BLOCKS]
    for each in data:
        await world.store(each)
    await forgotten(world, data)
    lost = max(data, key=name_of)
    del world.bucket.stored[multihash(lost)]
    alarms: list[int] = []

    async def counting(assignment: Assignment) -> Receipt | None:
        alarms.append(len(world.alarms))
        return await world.counted(assignment)

    world.scanner.run = counting
    audited = await Audit(world.engine, world.bucket).run()
    assert (audited.lost, audited.described) == (1, len(data) - 1)
    assert set(alarms) == {1}


async def test_a_car_that_nobody_can_look_through_does_not_keep_an_audit_for_ever(
    world: Scanning,
) -> None:
    data = [car_of(block) for block in BLOCKS[:2]]
    for each in data:
        await world.store(each)
    await forgotten(world, data)
    first = name_of(min(data, key=name_of))
    begun = asyncio.Event()

    async def hanging(assignment: Assignment) -> Receipt | None:
        if assignment.task == Scan(first, Tally()):
            begun.set()
            await asyncio.Event().wait()
        return await world.counted(assignment)

    world.scanner.run = hanging
    auditing = asyncio.create_task(Audit(world.engine, world.bucket).run())
    await begun.wait()
    world.clock.advance(DESCRIBED_MS_MAX)
    assert (await auditing).described == 2
    assert isinstance(await world.contents(max(data, key=name_of)), Read)


async def forgotten(world: Scanning, datas: Sequence[bytes]) -> None:
    for data in datas:
        await world.engine.transact(contents_at(name_of(data)), contents.Forget(name_of(data)))
        await world.storage.forget_slices(multihash(data))
