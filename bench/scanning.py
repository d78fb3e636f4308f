"""Looking through CARs that came with no index: few large blocks, and many small ones, from a
bucket on disk into SQLite. `p50` and `p99` are how late the loop was meanwhile: how long others
waited.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Final

import uvloop

from bench.report import Row, Run, row
from taijitu.actors.scanner import Scanner
from taijitu.buckets.disk import DiskBucket
from taijitu.buckets.names import multihash_of
from taijitu.engine.actor import Assignment
from taijitu.engine.clock import SystemClock
from taijitu.engine.engine import Engine
from taijitu.ipld import car, multibase, varint
from taijitu.ipld.cid import RAW, link_to
from taijitu.kernel.receipt import Ok
from taijitu.machines import MACHINES
from taijitu.machines.contents import Scan, Tally
from taijitu.storage.sqlite import SqliteStorage
from taijitu.testing.world import simulated_bucket

LARGE: Final = 1024 * 1024
SMALL: Final = 1_000
"""Bytes of a block."""
LOOK_SECONDS: Final = 0.001
"""How often somebody looks how late the loop is."""


def scanning(scale: float) -> list[Row]:
    rows: list[Row] = []
    for size, count in ((LARGE, int(1_024 * scale)), (SMALL, int(300_000 * scale))):
        runs = [uvloop.run(measured(size, count)) for _ in range(3)]
        rate = f"{runs[0].done * size / min(each.seconds for each in runs) / 1e6:.0f}MB/s"
        rows.append(row(f"look through {count:,} blocks of {size:,} bytes", runs, best=rate))
    return rows


async def measured(size: int, count: int) -> Run:
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    with tempfile.TemporaryDirectory(prefix="taijitu-bench-") as folder:
        bucket = DiskBucket.open(Path(folder) / "blobs", simulated_bucket().presigner)
        storage = SqliteStorage.open(Path(folder) / "slices.db")
        engine = Engine(storage, MACHINES, {}, SystemClock())
        name = write(bucket, size, count)
        scanner = Scanner(bucket, lambda slices, _: engine.note(slices, lambda _: True))
        cpu, began = time.process_time(), time.perf_counter()
        async with looking() as late:
            await look_through(scanner, name)
        run = Run(count, time.perf_counter() - began, time.process_time() - cpu, late)
        await storage.close()
        await bucket.close()
        return run


async def look_through(scanner: Scanner, name: bytes) -> None:
    """As its cell has it done, try after try."""
    tally = Tally()
    while tally.end == 0 or tally.start < tally.end:
        task = Scan(multibase.encode(multibase.BASE58BTC, name), tally)
        receipt = await scanner.run(Assignment(task, "bench", 0))
        assert isinstance(receipt, Ok)
        tally = Tally(**receipt.value["tally"])


@asynccontextmanager
async def looking() -> AsyncGenerator[list[float], None]:
    """How late the loop is, in seconds, again and again."""
    late: list[float] = []

    async def look() -> None:
        while True:
            asked = time.perf_counter()
            await asyncio.sleep(LOOK_SECONDS)
            late.append(time.perf_counter() - asked - LOOK_SECONDS)

    task = asyncio.create_task(look())
    try:
        yield late
    finally:
        task.cancel()


def write(bucket: DiskBucket, size: int, count: int) -> bytes:
    """Put a CAR into a bucket, past its door. Answers its multihash."""
    whole, place = sha256(), bucket.incoming / "made"
    with place.open("wb") as file:
        for part in parts(size, count):
            whole.update(part)
            file.write(part)
    place.rename(bucket.place_of(whole.digest()))
    return multihash_of(whole.digest())


def parts(size: int, count: int) -> Iterator[bytes]:
    yield car.encode([], [])
    filling = Random(0).randbytes(size - 8)
    for number in range(count):
        block = number.to_bytes(8, "big") + filling
        link = link_to(block, RAW).data
        yield b"".join((varint.encode(len(link) + size), link, block))
