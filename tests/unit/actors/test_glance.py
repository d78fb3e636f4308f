"""A small CAR is looked through within the transaction that stores it, and only then."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from taijitu.actors import scanner
from taijitu.actors.audit import Audit
from taijitu.engine.draft import Draft
from taijitu.engine.storage import Batch
from taijitu.ipld.cid import multihash
from taijitu.kernel.failures import Fault
from taijitu.kernel.receipt import Error
from taijitu.machines import contents, entry
from taijitu.machines.contents import LOOK, Describe, Read, Refused, Tally, Unread, contents_at
from taijitu.testing.world import name_of
from unit.actors.cars import BLOCKS, car_of, places
from unit.actors.scanning import CAR, ROOM, SIZE, Scanning
from unit.ucan.people import alice, bob

READ = Read(len(BLOCKS), SIZE, 1, 0, LOOK)


@pytest.fixture
async def world() -> AsyncGenerator[Scanning]:
    world = Scanning()
    for space in (alice, bob):
        await world.provision(space.did, ROOM)
    async with world.running():
        yield world


async def test_facts_and_state_become_true_in_one_commit(
    world: Scanning, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[Batch] = []
    commit = world.storage.commit

    async def watched(batch: Batch) -> None:
        await commit(batch)
        batches.append(batch)

    await world.add(alice.did, CAR)
    monkeypatch.setattr(world.storage, "commit", watched)
    await world.upload(CAR)

    (batch,) = batches
    assert {row.multihash for row in batch.slices} == {name for name, *_ in places(CAR, BLOCKS)}
    assert {path.split("/")[0] for path in batch.heads} >= {"entry", "contents"}
    assert "/".join(("blob", name_of(CAR))) in batch.reads, "that somebody holds them"
    assert not batch.opened
    assert (await world.contents(), world.scans) == (READ, [])
    assert await world.found() == places(CAR, BLOCKS)
    assert isinstance(await world.state(alice.did, CAR), entry.Stored)


async def test_bytes_that_are_here_already_are_looked_through_in_the_add(world: Scanning) -> None:
    await world.store(face="blob")
    await world.add(bob.did, CAR)
    assert (await world.contents(), world.scans) == (READ, [])
    assert await world.found() == places(CAR, BLOCKS)


async def test_nobody_says_that_bytes_are_empty_which_nobody_holds(world: Scanning) -> None:
    data = car_of()
    world.arrive(data)
    await world.engine.transact(contents_at(name_of(data)), Describe(name_of(data)))
    await world.quiet()
    assert await world.contents(data) == Unread()


@pytest.mark.parametrize(("count", "scans"), [(scanner.FEW, 0), (scanner.FEW + 1, 1)])
async def test_of_few_blocks_only(world: Scanning, count: int, scans: int) -> None:
    blocks = [b"%d" % number for number in range(count)]
    data = car_of(*blocks)
    await world.store(data)
    assert len(world.scans) == scans
    assert await world.found(data) == places(data, blocks)


@pytest.mark.parametrize(("more", "scans"), [(0, 0), (1, 1)])
async def test_of_few_bytes_only(world: Scanning, more: int, scans: int) -> None:
    around = len(car_of(bytes(scanner.SMALL // 2))) - scanner.SMALL // 2
    block = bytes(scanner.SMALL - around + more)
    data = car_of(block)
    assert len(data) == scanner.SMALL + more
    await world.store(data)
    assert len(world.scans) == scans
    assert await world.found(data) == places(data, [block])


async def test_blocks_before_a_flaw_are_found(world: Scanning) -> None:
    wrong = car_of(*BLOCKS[:3]) + b"wrong"
    await world.store(wrong)
    assert isinstance(await world.contents(wrong), Refused)
    assert await world.found(wrong) == places(wrong, BLOCKS[:3])
    assert world.scans == []


async def test_no_bytes_at_all_are_no_car(world: Scanning) -> None:
    await world.store(b"")
    assert await world.contents(b"") == Refused("there are no bytes", LOOK)


async def test_bytes_that_nobody_holds_are_not_looked_through(world: Scanning) -> None:
    """An audit that comes late: what it finds would outlive the bytes."""
    world.arrive(CAR)
    await world.engine.transact(contents_at(name_of(CAR)), Describe(name_of(CAR)))
    await world.quiet()
    assert (await world.contents(), await world.found()) == (Unread(), [])
    assert world.scans == [Tally()]


async def test_a_bug_of_ours_keeps_no_bytes_from_being_stored(
    world: Scanning, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: Any) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(scanner, "Sections", mistaken)
    await world.store()
    assert isinstance(await world.state(alice.did, CAR), entry.Stored)
    (parked,) = await world.storage.open_tasks()
    assert (parked.ability, "a mistake of ours" in parked.trouble) == ("contents/scan", True)


async def test_a_disk_that_does_not_answer_keeps_no_bytes_from_being_stored(
    world: Scanning, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> bytes | None:
        raise Fault("the disk does not answer")

    await world.add(alice.did, CAR)
    monkeypatch.setattr(world.bucket, "read_now", failing)
    await world.upload(CAR)
    await world.quiet()
    assert isinstance(await world.state(alice.did, CAR), entry.Stored)
    assert (await world.contents(), world.scans) == (READ, [Tally()])


async def test_nothing_is_known_of_what_a_commit_did_not_make_true(
    world: Scanning, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_: Batch) -> None:
        raise Fault("the disk is full")

    await world.add(alice.did, CAR)
    with monkeypatch.context() as patch:
        patch.setattr(world.storage, "commit", full)
        await world.upload(CAR)
    assert (await world.contents(), await world.found()) == (Unread(), [])
    await world.upload(CAR)
    assert await world.contents() == READ
    assert await world.found() == places(CAR, BLOCKS)


async def test_a_request_that_is_refused_takes_its_facts_back(
    world: Scanning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the cell that had bytes described changed its mind at the end."""
    await world.store(face="blob")
    hear = Draft.hear
    refusal = Error({"name": "No", "message": "no"})

    def refused(draft: Draft, path: Any, message: Any) -> Any:
        reply = hear(draft, path, message)
        return refusal if isinstance(message, Describe) else reply

    monkeypatch.setattr(Draft, "hear", refused)
    await world.add(bob.did, CAR)
    assert isinstance(await world.state(bob.did, CAR), entry.Stored)
    assert (await world.contents(), await world.found()) == (Unread(), [])


async def test_an_audit_tells_of_those_it_had_looked_through(world: Scanning) -> None:
    """Stored by a version that knew nothing of it: then no cell was asked."""
    data = [car_of(BLOCKS[0]), car_of(BLOCKS[1])]
    for each in data:
        await world.store(each)
        await world.engine.transact(contents_at(name_of(each)), contents.Forget(name_of(each)))
        await world.storage.forget_slices(multihash(each))
    audited = await Audit(world.engine, world.bucket).run()
    assert (audited.described, world.scans) == (2, [])
    assert await world.found(data[1]) == places(data[1], BLOCKS[1:2])
    assert (await Audit(world.engine, world.bucket).run()).described == 0
