"""The gateway: raw blocks, and one large file, beside `python -m http.server` with that file."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import report, upload
from bench.reading import BLOCKS, MIB, SIZE, connected, fetched, figures, many
from bench.report import Row
from bench.service import TICKS, Service, free_port, running
from taijitu.ipld import car, varint
from taijitu.ipld.cid import RAW, Link
from taijitu.unixfs.block import Block
from taijitu.unixfs.file import CHUNK_SIZE, FilePacker

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
        url, cpu = service.url, service.cpu_seconds
        whole = [fetched(url, f"{path}?filename=a.bin", cpu) for _ in range(3)]
        archive = [fetched(url, f"{path}?format=car", cpu) for _ in range(3)]
        blocks = [many(url, some(leaves, int(BLOCKS * scale)), cpu) for _ in range(3)]
        grown = f"{service.memory_mib() - before:+.0f}MiB"
        with plain(folder) as (url, other):
            cpu = partial(cpu_seconds, other)
            beside = [fetched(url, "/source", cpu) for _ in range(3)]
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


def some(leaves: list[Link], count: int) -> list[str]:
    """The paths of blocks by chance."""
    return [f"/ipfs/{link}?format=raw" for link in random.choices(leaves, k=count)]


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
