"""Packing a file and a large directory, beside the published JavaScript client, `sha256sum`, and
the same hash by the library that we use: it may know instructions that `sha256sum` does not."""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import report
from bench.report import Row, Run
from taijitu.unixfs.directory import DirectoryPacker
from taijitu.unixfs.file import FilePacker

MIB = 2**20
SIZE = 1024 * MIB
FILES = 20_000
TIMES = 3
CLIENTS = Path(__file__).parents[1] / "tests" / "interop" / "clients"


def packing(scale: float) -> list[Row]:
    size, count = int(SIZE * scale) // MIB * MIB, int(FILES * scale)
    with TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        with source.open("wb") as file:
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
        return [*files(source, size), *directories(count)]


def files(source: Path, size: int) -> list[Row]:
    """`/s` is bytes; `CPU ms each` is that of one byte."""
    name = f"{size // MIB} MiB"
    before = memory_mib()
    command = ["sha256sum", str(source)]
    packed = [timed(lambda: pack_file(source), size) for _ in range(TIMES)]
    grown = f"{memory_mib() - before}MiB"
    others = {
        f"sha256sum {name}": lambda: timed(
            lambda: subprocess.run(command, check=True, capture_output=True), size
        ),
        f"SHA-256 {name}": lambda: timed(lambda: hash_file(source), size),
    }
    if has_clients():
        others[f"JavaScript, {name}"] = lambda: in_javascript({"file": str(source)}, size)
    rows = [report.row(f"pack {name}", packed, **figures(packed), grown=grown)]
    for other, run in others.items():
        runs = [run() for _ in range(TIMES)]
        share = f"{rate(packed) / rate(runs):.0%}"
        rows.append(report.row(other, runs, **figures(runs), packing=share))
    return rows


def directories(count: int) -> list[Row]:
    """`/s` is files of a few bytes in one directory."""
    name = f"{count:,} files"
    rows = [
        report.row(f"pack {name}", [timed(lambda: pack_many(count), count) for _ in range(TIMES)])
    ]
    job = {"paths": [f"file-{at}.txt" for at in range(count)], "sizes": [5]}
    runs = [in_javascript(job, count) for _ in range(TIMES) if has_clients()]
    return rows + [report.row(f"JavaScript, {name}", runs) for _ in runs[:1]]


def figures(runs: list[Run]) -> dict[str, str]:
    """Of the median run, as the row is; `packing` is how fast packing was beside it."""
    return {
        "rate": f"{rate(runs) / 1e6:.0f}MB/s",
        "cpu": f"{median(run.done / run.cpu_seconds for run in runs) / 1e6:.0f}MB/s",
    }


def rate(runs: list[Run]) -> float:
    return median(run.rate for run in runs)


def timed(pack: Callable[[], object], done: int) -> Run:
    cpu, began = cpu_seconds(), time.perf_counter()
    pack()
    seconds = time.perf_counter() - began
    return Run(done, seconds, cpu_seconds() - cpu, [seconds])


def cpu_seconds() -> float:
    """Of this process and of those that it has run."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def memory_mib() -> int:
    """The most that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def pack_file(source: Path) -> None:
    packer = FilePacker()
    with source.open("rb", buffering=0) as file:
        while data := file.read(MIB):
            packer.feed(data)
    packer.end()


def hash_file(source: Path) -> None:
    with source.open("rb", buffering=0) as file:
        hashlib.file_digest(file, "sha256")


def pack_many(count: int) -> None:
    directory = DirectoryPacker()
    for at in range(count):
        packer = FilePacker()
        packer.feed(b"%05d" % at)
        packer.end()
        directory.add(f"file-{at}.txt", packer.root)
    for _ in directory.end():
        pass


def has_clients() -> bool:
    return shutil.which("node") is not None and (CLIENTS / "node_modules").is_dir()


def in_javascript(job: dict[str, object], done: int) -> Run:
    """The time it takes without that of starting."""
    made = subprocess.run(
        ["node", str(CLIENTS / "pack.mjs")],
        input=json.dumps([job | {"timed": True}]),
        capture_output=True,
        text=True,
        check=True,
    )
    [said] = json.loads(made.stdout)
    return Run(done, said["seconds"], said["cpu"], [said["seconds"]])
