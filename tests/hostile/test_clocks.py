"""Goal: time that jumps, forward and back, loses no room and leaves nothing waiting for ever."""

from taijitu.machines.entry import Expired, Receiving, Stored
from taijitu.testing.world import GRACE_MS, WINDOW_MS, SimulatedWorld

SPACE = "did:key:space"
DATA, OTHER = b"some bytes", b"other bytes"
HOUR_MS = 3_600_000


async def test_a_jump_ahead_ends_uploads_and_a_jump_back_leaves_the_next_ones_whole() -> None:
    world = SimulatedWorld()
    async with world.running():
        await world.provision(SPACE, 1_000)
        await world.add(SPACE, DATA)
        await world.pass_time(HOUR_MS)
        assert isinstance(await world.state(SPACE, DATA), Expired)
        assert await world.ledger(SPACE) == (1_000, 0, 0)
        world.clock.time -= HOUR_MS
        await world.add(SPACE, DATA)
        await world.add(SPACE, OTHER)
        await world.upload(OTHER)
        await world.quiet()
        assert isinstance(await world.state(SPACE, OTHER), Stored)
        receiving = await world.state(SPACE, DATA)
        assert isinstance(receiving, Receiving)
        await world.pass_time(WINDOW_MS + GRACE_MS + 1_000)
        assert isinstance(await world.state(SPACE, DATA), Expired)
        assert await world.ledger(SPACE) == (1_000, 0, len(OTHER))
    assert world.alarms == []


async def test_what_began_while_the_clock_was_ahead_ends_when_its_own_url_does() -> None:
    world = SimulatedWorld()
    async with world.running():
        await world.provision(SPACE, 1_000)
        world.clock.advance(HOUR_MS)
        await world.add(SPACE, DATA)
        world.clock.time -= HOUR_MS
        await world.pass_time(WINDOW_MS + GRACE_MS + 1_000)
        assert isinstance(await world.state(SPACE, DATA), Receiving)
        await world.upload(DATA)
        await world.quiet()
        assert isinstance(await world.state(SPACE, DATA), Stored)
        await world.pass_time(2 * HOUR_MS)
        assert isinstance(await world.state(SPACE, DATA), Stored)
        assert await world.storage.open_tasks() == []
