"""A service's HTTP side on a real socket, with a bucket on disk and doors that a test can set."""

import asyncio
import contextlib
import hashlib
import io
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from yarl import URL

from taijitu.buckets.disk import DiskBucket
from taijitu.buckets.names import multihash_of, path_of
from taijitu.buckets.port import Upload
from taijitu.buckets.presign import Presigner
from taijitu.server.about import About
from taijitu.server.app import App, Doors
from taijitu.server.downloads import Downloads
from taijitu.server.http import HttpAnswer
from taijitu.server.listen import Door, open_port, serve
from taijitu.server.meter import Meter
from taijitu.server.settings import Reading
from taijitu.server.uploads import Uploads
from taijitu.wire.sigv4 import Credentials

WINDOW = 60_000
GRACE = 5_000
NOON = 1_700_000_000_000
ABOUT = About(
    did="did:web:localhost%3A3000",
    key_did="did:key:z6MkffDZCkCTWreg8868fG1FGFogcJj5X6PY93pPcWDn9bob",
    version="1.2.3",
    public_url="http://localhost:3000",
)


@dataclass
class Service:
    """What a test can see and turn."""

    url: str
    bucket: DiskBucket
    urls: Presigner
    http: aiohttp.ClientSession
    app: App
    now: list[int]
    hints: list[bytes]
    doors: "Behind"

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def at(self, url: str) -> str:
        """A URL that was signed for the public host, as it reaches this test's port."""
        return url.replace(self.urls.base, self.url)

    def upload(self, data: bytes) -> tuple[bytes, Upload]:
        multihash = multihash_of(hashlib.sha256(data).digest())
        return multihash, self.urls.put(multihash, len(data), self.now[0])

    async def put(self, url: str, data: bytes, headers: dict[str, str]) -> tuple[int, str]:
        async with self.http.put(
            raw(self.at(url)), data=io.BytesIO(data), headers=headers
        ) as answer:
            return answer.status, await answer.text()

    async def store(self, data: bytes) -> str:
        """Put these bytes properly; the URL under which they can be read."""
        multihash, upload = self.upload(data)
        status, _ = await self.put(upload.url, data, upload.headers)
        assert status == 200
        return self.url + path_of(multihash)

    def leftovers(self) -> list[Path]:
        return list(self.bucket.incoming.iterdir())


@dataclass
class Behind:
    """What the injected doors do; tests replace these."""

    rpc: Callable[[str | None, str | None, bytes], Awaitable[HttpAnswer]] | None = None
    receipt: Callable[[str], Awaitable[HttpAnswer]] | None = None
    trouble: str | None = None
    asked: list[object] = field(default_factory=list[object])

    async def on_rpc(self, kind: str | None, accept: str | None, body: bytes) -> HttpAnswer:
        self.asked.append((kind, accept, body))
        return await self.rpc(kind, accept, body) if self.rpc else HttpAnswer(200, {}, body)

    async def on_receipt(self, task: str) -> HttpAnswer:
        self.asked.append(task)
        return await self.receipt(task) if self.receipt else HttpAnswer(404)

    async def on_trouble(self) -> str | None:
        return self.trouble


def raw(url: str) -> URL:
    """A URL that the client must not tidy up: its escapes are signed."""
    return URL(url, encoded=True)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def fresh(size: int) -> bytes:
    return os.urandom(size)


async def until(condition: Callable[[], bool]) -> None:
    """Returns once it holds; for what the disk or another task will have done in a moment."""
    async with asyncio.timeout(5):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def running_service(folder: Path, reading: Reading) -> AsyncIterator[Service]:
    urls = Presigner(
        "http://localhost:3000",
        Credentials("taijitu", "a secret"),
        window_ms=WINDOW,
        grace_ms=GRACE,
    )
    bucket = DiskBucket.open(folder / "blobs", urls)
    now, hints, behind = [NOON], list[bytes](), Behind()

    async def hint(multihash: bytes) -> None:
        hints.append(multihash)

    doors = Doors(
        rpc=behind.on_rpc,
        receipt=behind.on_receipt,
        trouble=behind.on_trouble,
        uploads=Uploads(bucket, urls, hint, lambda: now[0]),
        downloads=Downloads(bucket, urls, reading, lambda: now[0]),
    )
    app = App(ABOUT, doors, Meter())
    sock = open_port("127.0.0.1", 0)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    stop, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(serve([Door(app, sock)], ready=ready.set, stop=stop))
    await ready.wait()
    async with aiohttp.ClientSession() as http:
        yield Service(url, bucket, urls, http, app, now, hints, behind)
    stop.set()
    await running
    await bucket.close()
