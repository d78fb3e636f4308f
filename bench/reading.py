"""Reading over HTTP, one request after the other: how the gateway and those beside it are measured.

Knows nothing of taijitu, for the peers' environment has none.
"""

import http.client
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from bench.report import Run

MIB = 2**20
SIZE = 1024 * MIB
"""Bytes of the large file."""
BLOCKS = 3_000
"""Blocks, or objects, of 1 MiB that one run reads."""
READ = 256 * 1024
"""Bytes that are read at once."""

Cpu = Callable[[], float]
"""The CPU time of whoever answers, so far, in seconds."""


def fetched(url: str, path: str, cpu: Cpu) -> Run:
    """One file, to its end. What is done is counted in bytes."""

    def fetch() -> tuple[int, list[float]]:
        connection = connected(url)
        began = time.perf_counter()
        connection.request("GET", path)
        size = drained(connection.getresponse())
        connection.close()
        return size, [time.perf_counter() - began]

    return measured(fetch, cpu)


def many(url: str, paths: Sequence[str], cpu: Cpu) -> Run:
    """One path after the other, on one connection. What is done is counted in paths."""

    def fetch() -> tuple[int, list[float]]:
        connection, latencies = connected(url), list[float]()
        for path in paths:
            began = time.perf_counter()
            connection.request("GET", path)
            drained(connection.getresponse())
            latencies.append(time.perf_counter() - began)
        connection.close()
        return len(paths), latencies

    return measured(fetch, cpu)


def measured(fetch: Callable[[], tuple[int, list[float]]], cpu: Cpu) -> Run:
    before, own, began = cpu(), time.process_time(), time.perf_counter()
    done, latencies = fetch()
    seconds = time.perf_counter() - began
    own = time.process_time() - own
    return Run(done, seconds, cpu() - before, latencies, own)


def figures(runs: list[Run], size: int = 1) -> dict[str, str]:
    """Of the median run, as the row is: its rate, and the CPU time of whoever answered. `size` is
    the bytes of one that was done."""
    middle = sorted(runs, key=lambda run: run.rate)[len(runs) // 2]
    done = middle.done * size
    return {
        "rate": f"{done / middle.seconds / 1e6:.0f}MB/s",
        "cpu": f"{middle.cpu_seconds * 1e9 / done:.2f}ms/MB",
    }


def connected(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port)


def drained(answer: http.client.HTTPResponse) -> int:
    """Read it all. Raises if it was not answered well."""
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {answer.read(200)!r}")
    size = 0
    while chunk := answer.read(READ):
        size += len(chunk)
    return size
