"""Goal: the engine carries the store machine through every state, whatever way it is taken.

Method: the shipped machines, actors, engine and dispatcher, in a world with a clock moved by hand.
"""

from collections.abc import AsyncIterator

import pytest

from taijitu.kernel.receipt import Error
from taijitu.machines import entry
from taijitu.testing.world import GRACE_MS, WINDOW_MS, SimulatedWorld

CAR = b"twenty bytes of car!"
OTHER = b"another twenty bytes"


@pytest.fixture
async def world() -> AsyncIterator[SimulatedWorld]:
    async with SimulatedWorld().running() as world:
        await world.provision("alice", 30)
        yield world


async def test_an_add_is_answered_with_a_url_in_one_commit(world: SimulatedWorld) -> None:
    added = await world.add("alice", CAR)
    assert isinstance(added.state, entry.Receiving)
    assert await world.ledger("alice") == (30, 20, 0)


async def test_bytes_that_arrive_are_stored(world: SimulatedWorld) -> None:
    await world.add("alice", CAR)
    await world.upload(CAR)
    assert isinstance(await world.state("alice", CAR), entry.Stored)
    assert await world.ledger("alice") == (30, 0, 20)


async def test_an_upload_that_never_comes_expires_and_gives_its_room_back(
    world: SimulatedWorld,
) -> None:
    await world.add("alice", CAR)
    await world.pass_time(WINDOW_MS + GRACE_MS)
    assert isinstance(await world.state("alice", CAR), entry.Expired)
    assert await world.ledger("alice") == (30, 0, 0)
    assert not await world.storage.open_tasks()


async def test_no_room_ends_in_exceeds_limit_until_there_is_room(world: SimulatedWorld) -> None:
    await world.add("alice", CAR)
    refused = await world.add("alice", OTHER)
    assert isinstance(refused.state, entry.ExceedsLimit)
    assert await world.ledger("alice") == (30, 20, 0)
    await world.remove("alice", CAR)
    again = await world.add("alice", OTHER)
    assert isinstance(again.state, entry.Receiving)


async def test_a_put_whose_hint_is_lost_is_found_by_the_timer(world: SimulatedWorld) -> None:
    await world.add("alice", CAR)
    world.arrive(CAR)
    await world.pass_time(WINDOW_MS + GRACE_MS)
    assert isinstance(await world.state("alice", CAR), entry.Stored)


async def test_a_put_after_expiry_is_swept(world: SimulatedWorld) -> None:
    await world.add("alice", CAR)
    await world.remove("alice", CAR)
    await world.upload(CAR)
    assert world.bucket.stored
    await world.pass_time(WINDOW_MS + GRACE_MS)
    assert not world.bucket.stored
    assert isinstance(await world.state("alice", CAR), entry.Absent)


async def test_bytes_that_are_here_already_are_stored_at_once(world: SimulatedWorld) -> None:
    await world.provision("bob", 30)
    await world.add("alice", CAR)
    await world.upload(CAR)
    added = await world.add("bob", CAR)
    assert isinstance(added.state, entry.Stored)
    assert await world.ledger("bob") == (30, 0, 20)


async def test_shared_bytes_stay_until_the_last_space_lets_go(world: SimulatedWorld) -> None:
    await world.provision("bob", 30)
    await world.add("alice", CAR)
    await world.upload(CAR)
    await world.add("bob", CAR)
    await world.remove("alice", CAR)
    await world.pass_time(WINDOW_MS + GRACE_MS)
    assert world.bucket.stored
    await world.remove("bob", CAR)
    await world.pass_time(WINDOW_MS + GRACE_MS)
    assert not world.bucket.stored
    assert await world.ledger("bob") == (30, 0, 0)


async def test_another_size_for_the_same_bytes_is_refused(world: SimulatedWorld) -> None:
    await world.add("alice", CAR)
    refused = await world.add("alice", CAR, size=5)
    assert isinstance(refused.reply, Error)
    assert isinstance(refused.state, entry.Receiving)


async def test_bytes_of_another_size_than_declared_are_never_stored(
    world: SimulatedWorld,
) -> None:
    await world.add("alice", CAR, size=5)
    await world.upload(CAR)
    assert isinstance(await world.state("alice", CAR), entry.SizeMismatch)
    assert await world.ledger("alice") == (30, 0, 0)


async def test_two_faces_hold_one_entry(world: SimulatedWorld) -> None:
    await world.add("alice", CAR)
    await world.add("alice", CAR, face="blob")
    await world.upload(CAR)
    await world.remove("alice", CAR)
    assert isinstance(await world.state("alice", CAR), entry.Stored)
    assert await world.ledger("alice") == (30, 0, 20)
    await world.remove("alice", CAR, face="blob")
    assert isinstance(await world.state("alice", CAR), entry.Absent)


async def test_a_url_that_is_about_to_die_is_replaced(world: SimulatedWorld) -> None:
    first = await world.add("alice", CAR)
    await world.pass_time(WINDOW_MS - 1000)
    second = await world.add("alice", CAR)
    assert isinstance(first.state, entry.Receiving)
    assert isinstance(second.state, entry.Receiving)
    assert second.state.expires > first.state.expires
    assert second.state.attempt == first.state.attempt
    assert await world.ledger("alice") == (30, 20, 0)
