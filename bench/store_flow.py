"""The store's flow in one hot space: add, then the bytes are seen, then stored. Engine and machines
in this process, on SQLite with fsync; the bucket is in memory, so that the engine is what is timed.
"""

import asyncio
import tempfile
import time
from pathlib import Path

import uvloop

from bench.report import Run
from taijitu.engine.clock import SystemClock
from taijitu.machines.entry import Stored
from taijitu.storage.sqlite import SqliteStorage
from taijitu.testing.world import SimulatedWorld

SPACE = "did:key:z6MkiBNMMpNhm678JmqA7cxZC2cJ5bLsrKXJVYXJQh1jPVpX"


def flows(count: int, in_flight: int) -> Run:
    return uvloop.run(measured(count, in_flight))


async def measured(count: int, in_flight: int) -> Run:
    with tempfile.TemporaryDirectory(prefix="taijitu-bench-") as folder:
        storage = SqliteStorage.open(Path(folder) / "flows.db")
        world = SimulatedWorld(storage, clock=SystemClock())
        async with world.running():
            await world.provision(SPACE, 2**50)
            run = await flood(world, count, in_flight)
        await storage.close()
        return run


async def flood(world: SimulatedWorld, count: int, in_flight: int) -> Run:
    numbers, latencies = iter(range(count)), []

    async def one_after_the_other() -> None:
        for number in numbers:
            data = b"%16d" % number
            began = time.perf_counter()
            await world.add(SPACE, data)
            await world.upload(data)
            latencies.append(time.perf_counter() - began)
            assert isinstance(await world.state(SPACE, data), Stored)

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(in_flight)))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return Run(count, seconds, cpu, latencies)
