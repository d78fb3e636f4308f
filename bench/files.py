"""Files put and got back, from end to end, beside the published JavaScript client at the same
service; and many small ones."""

import asyncio
import json
import os
import resource
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import report
from bench.packing import CLIENTS, TIMES, has_clients
from bench.report import Row, Run
from bench.service import Service, running
from taijitu.client import Client, Put, new_key
from taijitu.client.packing import Meter, blocks_of, listing

MIB = 2**20
SIZE = 1024 * MIB
FILES = 100_000
IN_FOLDER = 1_000
"""Small files in each folder."""

SETTINGS = {"TAIJITU_PROVISION": "open"}


def files(scale: float) -> list[Row]:
    with TemporaryDirectory(prefix="taijitu-bench-") as name, running(**SETTINGS) as service:
        folder = Path(name)
        return [*large(service, folder, int(SIZE * scale)), *small(service, folder, scale)]


def large(service: Service, folder: Path, size: int) -> list[Row]:
    """`/s` is bytes; CPU that of the client. All in turns, as the disk has good and bad minutes."""
    source, name = folder / "large", f"{size // MIB} MiB"
    with source.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
    size = source.stat().st_size
    runs: defaultdict[str, list[Run]] = defaultdict(list)
    for _ in range(TIMES):
        for verb, run in asyncio.run(put_and_got(service, source, folder / "back", size)):
            runs[f"{verb} {name}"].append(run)
        (folder / "back").unlink()
        if has_clients():
            run = by_javascript(service, {"file": str(source)}, size)
            runs[f"JavaScript, put {name}"].append(run)
    source.unlink()
    return [report.row(verb, each, **figures(each)) for verb, each in runs.items()]


def small(service: Service, folder: Path, scale: float) -> list[Row]:
    """`/s` is files."""
    count = int(FILES * scale)
    source = folder / "small"
    for number in range(count):
        path = source / f"{number // IN_FOLDER:03}" / f"{number:06}.txt"
        if number % IN_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(os.urandom(8) * (number % 128))
    runs: defaultdict[str, list[Run]] = defaultdict(list)
    for _ in range(TIMES):
        runs[f"pack {count:,} files"].append(packed(source, count))
        for verb, run in asyncio.run(put_and_got(service, source, folder / "back", count)):
            runs[f"{verb} {count:,} files"].append(run)
        shutil.rmtree(folder / "back")
        if has_clients():
            run = by_javascript(service, {"folder": str(source)}, count)
            runs[f"JavaScript, put {count:,} files"].append(run)
    return [report.row(verb, each, **memory()) for verb, each in runs.items()]


def packed(folder: Path, count: int) -> Run:
    """Read, and made into blocks that nobody keeps."""
    runs: list[tuple[str, Run]] = []
    with measured(runs, "pack", count):
        for _ in blocks_of(listing([folder]), Meter()):
            pass
    return runs[0][1]


async def put_and_got(
    service: Service, source: Path, target: Path, done: int
) -> list[tuple[str, Run]]:
    """Put by somebody new, got back by anyone, and removed."""
    runs: list[tuple[str, Run]] = []
    async with Client(service.url, key=new_key()) as client:
        with measured(runs, "put", done):
            made: Put = await client.put(source)
        with measured(runs, "get", done):
            await client.get(made.root, target)
        await client.space.remove(made.root)
    return runs


@contextmanager
def measured(runs: list[tuple[str, Run]], verb: str, done: int) -> Iterator[None]:
    cpu, began = time.process_time(), time.perf_counter()
    yield
    seconds = time.perf_counter() - began
    runs.append((verb, Run(done, seconds, time.process_time() - cpu, [seconds])))


def by_javascript(service: Service, job: dict[str, str], done: int) -> Run:
    """The same by the published client, in seconds of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    did = asyncio.run(did_of(service))
    answer = subprocess.run(
        [
            *("node", "--preserve-symlinks", str(CLIENTS / "upload.mjs")),
            *(service.url, did, new_key().format()),
        ],
        input=json.dumps([job]),
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    seconds = json.loads(answer.stdout.splitlines()[-1])[0]["seconds"]
    return Run(done, seconds, cpu, [seconds])


async def did_of(service: Service) -> str:
    async with Client(service.url) as client:
        return (await client.service()).did


def figures(runs: list[Run]) -> dict[str, str]:
    """Of the median run, as the row is."""
    return {"rate": f"{median(run.rate for run in runs) / 1e6:.0f}MB/s", **memory()}


def memory() -> dict[str, str]:
    """The most that this process ever had."""
    return {"rss": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}MiB"}
