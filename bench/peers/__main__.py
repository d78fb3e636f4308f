"""`make bench-peers`: the flow, or files, on each peer; three runs each, the median and the worst.

    python -m bench.peers [--quick] [--json FILE] [--beside PYTHON] [NAME ...]

`--beside` names a Python that has taijitu: what it does of the same is measured too, and put first.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import uvloop

from bench import report
from bench.peers.cpu import tree_seconds
from bench.peers.process import process
from bench.report import Row, Run

FLOWS = ("dbos", "procrastinate", "restate")
FILES = ("seaweedfs",)
OURS = {"flow": FLOWS, "gateway": FILES}
"""Our own benchmarks, and who does the same."""
IN_FLIGHT = (1, 64)
RUNS = 3
WARM_UP = 100
FINISHED = "finished"
"""What every flow ends with; anything else is counted as an error."""

Flow = Callable[[str], Awaitable[str]]


async def measured(peer: ModuleType, scale: float) -> list[Row]:
    rows: list[Row] = []
    async with peer.ready() as flow:
        if (end := await flow("first")) != FINISHED:
            raise RuntimeError(f"{peer.NAME}: the flow ended with {end!r}")
        await flood(peer, flow, "warm-up", WARM_UP, max(IN_FLIGHT))
        for in_flight in IN_FLIGHT:
            count = int((300 if in_flight == 1 else 2000) * scale)
            runs = [
                await flood(peer, flow, f"{in_flight}-{number}", count, in_flight)
                for number in range(RUNS)
            ]
            rows.append(report.row(f"{peer.NAME}, {in_flight} in flight", runs))
    return rows


async def flood(peer: ModuleType, flow: Flow, run: str, count: int, in_flight: int) -> Run:
    numbers, latencies, ends = iter(range(count)), [], Counter()

    async def one_after_the_other() -> None:
        for number in numbers:
            began = time.perf_counter()
            end = await flow(f"{run}-{number}")
            latencies.append(time.perf_counter() - began)
            ends[end] += 1

    own, cpu, began = time.process_time(), tree_seconds(os.getpid()), time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(in_flight)))
    seconds = time.perf_counter() - began
    own, cpu = time.process_time() - own, tree_seconds(os.getpid()) - cpu
    load = own if peer.LOAD_APART else 0.0
    return Run(count, seconds, cpu - load, latencies, load, count - ends[FINISHED])


def peer_rows(name: str, scale: float) -> list[Row]:
    """Raises `ImportError` if the peer is not installed."""
    if name in FILES:
        return import_module(f"bench.peers.{name}_files").files(scale)
    return uvloop.run(measured(import_module(f"bench.peers.{name}_flow"), scale))


def our_rows(benchmark: str, python: str, quick: bool) -> list[Row]:
    """Our own, as `make bench` measures it."""
    with tempfile.TemporaryDirectory(prefix="taijitu-peers-") as folder:
        path, log = Path(folder) / "rows.json", Path(folder) / "log"
        command = [python, "-m", "bench", benchmark, "--json", path, *(["--quick"] * quick)]
        with process(command, log, {}) as started:
            if started.wait() != 0:
                raise RuntimeError(f"our own {benchmark} failed:\n{log.read_text()}")
        rows = [Row(**row) for row in json.loads(path.read_text())["rows"]]
    return as_flows(rows) if benchmark == "flow" else rows


def as_flows(rows: list[Row]) -> list[Row]:
    """Those of our flows that have a peer, named as the peers' are."""
    wanted = {f"{n} in flight" for n in IN_FLIGHT}
    rows = [row for row in rows if row.name.rpartition(", ")[2] in wanted]
    for row in rows:
        row.name = f"taijitu, {row.name.rpartition(', ')[2]}"
    return rows


def option(arguments: list[str], name: str) -> str | None:
    return arguments[arguments.index(name) + 1] if name in arguments else None


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped
    quick = "--quick" in arguments
    python = option(arguments, "--beside")
    named = {name for peers in OURS.values() for name in peers if name in arguments}
    rows: list[Row] = []
    for benchmark, peers in OURS.items():
        names = [name for name in peers if name in named or not named]
        if names and python:
            sys.stderr.write(f"taijitu, {benchmark} ...\n")
            rows += our_rows(benchmark, python, quick)
        for name in names:
            sys.stderr.write(f"{name} ...\n")
            try:
                rows += peer_rows(name, 0.1 if quick else 1.0)
            except ImportError as missing:
                print(f"{name} is left out: {missing}")
    print(report.table(rows))
    if path := option(arguments, "--json"):
        report.save(rows, Path(path))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
