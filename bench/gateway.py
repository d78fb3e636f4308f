"""The gateway: raw blocks, and one large file, beside `python -m http.server` with that file."""

import http.client
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from bench import report, upload
from bench.report import Row, Run
from bench.service import TICKS, Service, free_port, running
from taijitu.ipld import car, varint
from taijitu.ipld.cid import RAW, Link
from taijitu.unixfs.block import Block
from taijitu.unixfs.file import CHUNK_SIZE, FilePacker

MIB = 2**20
SIZE = 1024 * MIB
BLOCKS = 3_000
READ = 256 * 1024
INDEXED_SECONDS_MAX = 600


def gateway(scale: float) -> list[Row]:
    """`/s` is bytes of files, and blocks of 1 MiB; `CPU ms each` is that of one of them."""
    size = int(SIZE * scale) // MIB * MIB
    with TemporaryDirectory() as folder, running() as service:
        source = Path(folder) / "source"
        root, leaves = store(service, source, Path(folder) / "archive", size)
        path = f"/ipfs/{root}"
        name = f"{size // MIB} MiB"
        before = service.memory_mib()
        pid = service.process.pid
        whole = [fetched(service.url, f"{path}?filename=a.bin", pid) for _ in range(3)]
        archive = [fetched(service.url, f"{path}?format=car", pid) for _ in range(3)]
        blocks = [many(service, leaves, int(BLOCKS * scale)) for _ in range(3)]
        grown = f"{service.memory_mib() - before:+.0f}MiB"
        with plain(folder) as (url, other):
            beside = [fetched(url, "/source", other) for _ in range(3)]
    return [
        report.row(f"gateway, file of {name}", whole, **figures(whole), memory=grown),
        report.row(f"gateway, CAR of {name}", archive, **figures(archive)),
        report.row(f"http.server, file of {name}", beside, **figures(beside)),
        report.row("gateway, raw blocks of 1 MiB", blocks, **figures(blocks, MIB)),
    ]


def store(service: Service, source: Path, archive: Path, size: int) -> tuple[Link, list[Link]]:
    """A file, packed and stored in one CAR. Returns once the service has looked through it."""
    packer, leaves, hashed = FilePacker(), list[Link](), sha256()
    with source.open("wb") as plain, archive.open("wb") as packed:

        def write(blocks: list[Block]) -> None:
            for block in blocks:
                name = block.link.data
                section = varint.encode(len(name) + len(block.data)) + name + bytes(block.data)
                hashed.update(section)
                packed.write(section)
                if block.link.codec == RAW:
                    leaves.append(block.link)

        header = car.encode([], [])
        hashed.update(header)
        packed.write(header)
        for _ in range(size // CHUNK_SIZE):
            chunk = os.urandom(CHUNK_SIZE)
            plain.write(chunk)
            write(packer.feed(chunk))
        write(packer.end())
    url, headers = upload.ask(service, hashed.digest(), archive.stat().st_size)
    upload.send(url, headers, archive)
    wait_for(service, packer.root.link)
    return packer.root.link, leaves


def wait_for(service: Service, link: Link) -> None:
    deadline = time.monotonic() + INDEXED_SECONDS_MAX
    while time.monotonic() < deadline:
        connection = connected(service.url)
        connection.request("HEAD", f"/ipfs/{link}?format=raw")
        status = connection.getresponse().status
        connection.close()
        if status == 200:
            return
        time.sleep(0.2)
    raise RuntimeError("the CAR was not looked through")


def fetched(url: str, path: str, pid: int) -> Run:
    """One file, to its end."""

    def fetch() -> tuple[int, list[float]]:
        connection = connected(url)
        began = time.perf_counter()
        connection.request("GET", path)
        size = drained(connection.getresponse())
        connection.close()
        return size, [time.perf_counter() - began]

    return measured(fetch, pid)


def many(service: Service, leaves: list[Link], count: int) -> Run:
    """Blocks by chance, one after the other, on one connection."""
    wanted = random.choices(leaves, k=count)

    def fetch() -> tuple[int, list[float]]:
        connection, latencies = connected(service.url), list[float]()
        for link in wanted:
            began = time.perf_counter()
            connection.request("GET", f"/ipfs/{link}?format=raw")
            drained(connection.getresponse())
            latencies.append(time.perf_counter() - began)
        connection.close()
        return count, latencies

    return measured(fetch, service.process.pid)


def measured(fetch: Callable[[], tuple[int, list[float]]], pid: int) -> Run:
    cpu, own, began = cpu_seconds(pid), time.process_time(), time.perf_counter()
    done, latencies = fetch()
    seconds = time.perf_counter() - began
    own = time.process_time() - own
    return Run(done, seconds, cpu_seconds(pid) - cpu, latencies, own)


def figures(runs: list[Run], size: int = 1) -> dict[str, str]:
    best = max(runs, key=lambda run: run.rate)
    done = best.done * size
    return {
        "rate": f"{done / best.seconds / 1e6:.0f}MB/s",
        "cpu": f"{best.cpu_seconds * 1e9 / done:.2f}ms/MB",
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


@contextmanager
def plain(folder: str) -> Iterator[tuple[str, int]]:
    """`python -m http.server` on a folder: its URL, and its process id."""
    port = free_port()
    url = f"http://localhost:{port}"
    command = [sys.executable, "-m", "http.server", str(port), "--directory", folder]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not answers(url):
                time.sleep(0.05)
            yield url, process.pid
        finally:
            process.terminate()


def answers(url: str) -> bool:
    connection = connected(url)
    try:
        connection.connect()
    except OSError:
        return False
    connection.close()
    return True


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
