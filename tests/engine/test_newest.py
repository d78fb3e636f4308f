"""Goal: what is kept at hand is a convenience; the engine works the same when it is forgotten, and
nobody is told what may not become true.

Method: the simulated world with caches that hold almost nothing, or a storage whose commit fails.
"""

import asyncio

import pytest

from taijitu.engine.engine import Concluded
from taijitu.engine.newest import LARGE_MAX, LARGE_SIZE, Layer
from taijitu.ipld.cid import CAR as CAR_CODEC
from taijitu.ipld.cid import link_to
from taijitu.kernel.failures import Fault
from taijitu.machines import entry, upload
from taijitu.machines.entry import Add, entry_at
from taijitu.machines.upload import upload_at
from taijitu.storage.memory import MemoryStorage
from taijitu.testing.engine_contract import Flaky
from taijitu.testing.world import GRACE_MS, WINDOW_MS, SimulatedWorld, name_of

CAR = b"twenty bytes of car!"
OTHER = b"another twenty bytes"


async def test_a_plan_that_asked_for_nothing_is_found_again() -> None:
    async with SimulatedWorld().running() as world:
        await world.provision("alice", 100)
        world.engine.newest.plans.known.clear()
        assert isinstance((await world.add("alice", CAR)).state, entry.Receiving)
        world.engine.newest.plans.known.clear()
        await world.upload(CAR)
        world.engine.newest.plans.known.clear()
        await world.remove("alice", CAR)
        assert await world.ledger("alice") == (100, 0, 0)


async def test_caches_that_hold_one_value_change_nothing() -> None:
    async with SimulatedWorld().running() as world:
        newest = world.engine.newest
        newest.plans.size_max = newest.heads.size_max = newest.receipts.size_max = 1
        await world.provision("alice", 100)
        await asyncio.gather(*(world.add("alice", each) for each in (CAR, OTHER)))
        await world.upload(CAR)
        assert await world.ledger("alice") == (100, 20, 20)
        await world.pass_time(WINDOW_MS + GRACE_MS)
        await world.remove("alice", CAR)
        await world.pass_time(WINDOW_MS + GRACE_MS)
        assert await world.ledger("alice") == (100, 0, 0)
        assert not world.bucket.stored
        assert not world.troubles


async def test_a_receipt_is_given_out_only_once_it_is_durable() -> None:
    storage = Flaky(MemoryStorage())
    world = SimulatedWorld(storage.port)
    await world.provision("alice", 100)
    storage.failures.append(Fault("the disk is full"))
    cause = link_to(b"an invocation")
    message = Add(world.clock.now(), cause, "alice", name_of(CAR), "did:key:agent", len(CAR))
    adding = asyncio.create_task(
        world.engine.transact(
            entry_at("alice", name_of(CAR)),
            message,
            cause=cause,
            conclude=lambda *_: Concluded(b"receipt"),
        )
    )
    await asyncio.sleep(0)
    assert await world.engine.receipt(cause) is None
    with pytest.raises(Fault):
        await adding


async def test_reading_does_not_fail_with_the_writing_of_others() -> None:
    storage = Flaky(MemoryStorage())
    world = SimulatedWorld(storage.port)
    await world.provision("alice", 100)
    storage.failures.append(Fault("the disk is full"))
    adding = asyncio.create_task(world.add("alice", CAR))
    await asyncio.sleep(0)
    assert await world.ledger("alice") == (100, 0, 0)
    with pytest.raises(Fault):
        await adding


async def test_reading_a_cell_that_never_rests_comes_to_an_end() -> None:
    world = SimulatedWorld(Flaky(MemoryStorage()).port)
    await world.provision("alice", 100)

    async def provision_without_end(capacity: int) -> None:
        while True:
            capacity += 2
            await world.provision("alice", capacity)

    writing = [asyncio.create_task(provision_without_end(start)) for start in (100, 101)]
    await asyncio.sleep(0)
    reading = asyncio.create_task(world.ledger("alice"))
    for _ in range(100):
        await asyncio.sleep(0)
    assert reading.done()
    for task in writing:
        task.cancel()
    await asyncio.gather(*writing, return_exceptions=True)


async def test_a_bug_in_company_is_a_fault_to_everyone_and_alone_it_is_a_bug() -> None:
    storage = Flaky(MemoryStorage())
    world = SimulatedWorld(storage.port)
    await world.provision("alice", 100)
    storage.failures.append(ZeroDivisionError("oops"))
    both = await asyncio.gather(
        world.add("alice", CAR), world.add("alice", OTHER), return_exceptions=True
    )
    assert [type(each) for each in both] == [Fault, Fault]
    storage.failures.append(ZeroDivisionError("oops"))
    with pytest.raises(ZeroDivisionError):
        await world.add("alice", CAR)
    assert await world.ledger("alice") == (100, 0, 0)


async def test_what_was_built_upon_a_bug_has_a_fault() -> None:
    storage = Flaky(MemoryStorage())
    world = SimulatedWorld(storage.port)
    await world.provision("alice", 100)
    storage.failures.append(ZeroDivisionError("oops"))
    first = asyncio.create_task(world.add("alice", CAR))
    await asyncio.sleep(0)
    second = asyncio.create_task(world.add("alice", OTHER))
    done = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(each) for each in done] == [ZeroDivisionError, Fault]


def test_what_was_not_asked_for_longest_is_forgotten_first() -> None:
    layer = Layer[str, int](2)
    layer.learn("alice", 1)
    layer.learn("bob", 2)
    assert layer.get("alice") == 1
    layer.commit("carol", 3)
    assert [layer.get(name) for name in ("alice", "bob", "carol")] == [1, None, 3]


def test_of_large_values_only_the_latest_few_are_kept() -> None:
    layer = Layer[str, int](10, large_max=2)
    layer.learn("alice", 1)
    for number, name in enumerate(("bob", "carol", "dave")):
        layer.commit(name, number, is_large=True)
    assert sorted(layer.known) == ["alice", "carol", "dave"]
    layer.commit("carol", 7)
    layer.commit("erin", 8, is_large=True)
    assert sorted(layer.known) == ["alice", "carol", "dave", "erin"]
    layer.forget()
    assert not layer.large


async def test_what_clients_make_large_is_not_all_kept() -> None:
    world = SimulatedWorld()
    shards = tuple(link_to(f"shard {number}".encode(), CAR_CODEC) for number in range(500))
    roots = [link_to(f"root {number}".encode()) for number in range(LARGE_MAX + 8)]
    for root in roots:
        path, message = upload_at("alice", root), upload.Add(1, root, "alice", root, shards)
        receipt = Concluded(bytes(LARGE_SIZE + 1))
        await world.engine.transact(
            path, message, cause=root, conclude=lambda *_, receipt=receipt: receipt
        )
    newest = world.engine.newest
    for layer in (newest.heads, newest.receipts):
        assert len(layer.known) == LARGE_MAX
    for root in roots:
        head = await world.engine.read(upload_at("alice", root))
        assert isinstance(head.state, upload.Listed)
        assert await world.engine.receipt(root) == bytes(LARGE_SIZE + 1)
    assert len(newest.heads.known) == len(newest.receipts.known) == LARGE_MAX
