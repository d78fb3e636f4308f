"""A bucket in a folder: `blobs/ab/abcd…`, each file named by the hex of its sha2-256 digest.

Law: a file gets its name only after its bytes were verified and made durable, and is seen only
after the name is durable too. So `sha256sum` of any file prints its own name, after any crash.

An upload is hashed and written in a worker thread, one buffer at a time, while the next buffer
fills from the network.
"""

import asyncio
import errno
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from taijitu.buckets.files import Incoming, Outgoing, read_part, sync_folder
from taijitu.buckets.names import DIGEST_SIZE, digest_of, multihash_of
from taijitu.buckets.port import READ_CHUNK, Upload, WrongBytes
from taijitu.buckets.presign import Presigner
from taijitu.kernel.failures import Fault

BUFFER: Final = 1024 * 1024
"""Bytes of an upload that go to the disk in one step."""

THREADS: Final = 8
"""Worker threads for bytes; deletes have one of their own, so that no upload delays them."""

TRASH: Final = ".deleted"
"""Ending of a temporary name whose object was deleted."""

T = TypeVar("T")


class DiskBucket:
    """Objects as files under `root`. Make it with `open`, in one process only."""

    def __init__(self, root: Path, presigner: Presigner) -> None:
        self.root = root
        self.root_text = str(root)
        self.presigner = presigner
        self.incoming = root / "incoming"
        self.bytes_pool = ThreadPoolExecutor(THREADS, "blob")
        self.delete_pool = ThreadPoolExecutor(1, "blob-delete")
        self.door = threading.Lock()
        self.unsettled: set[bytes] = set()

    @staticmethod
    def open(root: Path, presigner: Presigner) -> "DiskBucket":
        """Prepare the folder and clear up after a crash. Blocks. Raises `Fault` when the folder
        cannot be used."""
        bucket = DiskBucket(root, presigner)
        with world():
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            bucket.incoming.mkdir(mode=0o700, exist_ok=True)
            for folder in bucket.folders():
                folder.mkdir(mode=0o700, exist_ok=True)
            for folder in (bucket.incoming, *bucket.folders()):
                check_writable(folder)
            sync_folder(root)
            bucket.clear_up()
            bucket.try_to_write()
        return bucket

    def clear_up(self) -> None:
        """Remove what unfinished uploads left. A temporary name outlives the moment in which its
        object appears or goes, so it also tells which change of a folder may not be durable yet."""
        for leftover in list(self.incoming.iterdir()):
            folder = self.root / leftover.name[:2]
            if folder.is_dir():
                sync_folder(folder)
            leftover.unlink()

    def try_to_write(self) -> None:
        """Find out now, and not with the first upload, whether bytes can be written."""
        probe = self.incoming / "probe"
        probe.touch(mode=0o600)
        probe.unlink()

    async def close(self) -> None:
        """Let the steps that are under way end. The bucket is of no use afterwards."""
        for pool in (self.bytes_pool, self.delete_pool):
            await asyncio.to_thread(pool.shutdown)

    async def stat(self, multihash: bytes) -> int | None:
        return self.stat_now(multihash)

    def stat_now(self, multihash: bytes) -> int | None:
        digest = digest_of(multihash)
        if digest in self.unsettled:
            return None
        with world():
            try:
                return os.stat(self.text_of(digest)).st_size  # noqa: PTH116 - within transactions
            except FileNotFoundError:
                return None

    def read_now(self, multihash: bytes, size_max: int) -> bytes | None:
        """Whoever asks knows that they have come just now: so they are at hand."""
        size = self.stat_now(multihash)
        if size is None or size > size_max:
            return None
        with world():
            try:
                fd = os.open(self.text_of(digest_of(multihash)), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            try:
                return os.read(fd, size)
            finally:
                os.close(fd)

    def presign(self, multihash: bytes, size: int, at_ms: int) -> Upload:
        return self.presigner.put(multihash, size, at_ms)

    async def delete(self, multihash: bytes) -> None:
        digest = digest_of(multihash)
        given_up = threading.Event()
        try:
            await self.run(self.delete_pool, lambda: self.remove(digest, given_up))
        except asyncio.CancelledError:
            # A delete that nobody waits for must not hit bytes that arrive later.
            given_up.set()
            raise

    def remove(self, digest: bytes, given_up: threading.Event) -> None:
        """Out of sight in one step; the space on disk is freed after that."""
        place = self.place_of(digest)
        trash = self.incoming / f"{digest.hex()}{TRASH}"
        with self.door:
            if given_up.is_set():
                return
            try:
                place.replace(trash)
            except FileNotFoundError:
                return
            self.unsettled.discard(digest)
        sync_folder(place.parent)
        trash.unlink()

    async def objects(self) -> AsyncIterator[tuple[bytes, int]]:
        for folder in self.folders():
            for found in await self.run(self.bytes_pool, lambda at=folder: listing(at)):
                yield found

    async def read(
        self, multihash: bytes, start: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        file = Outgoing(self.place_of(digest_of(multihash)), start)
        left = length
        try:
            while left is None or left > 0:
                step = READ_CHUNK if left is None else min(READ_CHUNK, left)
                chunk = await self.run(self.bytes_pool, lambda size=step: file.read(size))
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            self.bytes_pool.submit(file.close)

    async def read_at(self, multihash: bytes, start: int, length: int) -> bytes:
        path = self.text_of(digest_of(multihash))
        return await self.run(self.bytes_pool, lambda: read_part(path, start, length))

    def arrive(self, multihash: bytes, size: int) -> "DiskArrival":
        return DiskArrival(self, digest_of(multihash), size)

    def settle(self, temporary: Path, digest: bytes, open_still: Callable[[], bool]) -> bool:
        """Give a verified, durable file its name, durably; `False` when it is too late."""
        place = self.place_of(digest)
        with self.door:
            if not open_still():
                return False
            if not place.exists():
                self.unsettled.add(digest)
                place.hardlink_to(temporary)
        sync_folder(place.parent)
        self.unsettled.discard(digest)
        return True

    def text_of(self, digest: bytes) -> str:
        """As `place_of`, as text: a path object costs as much as looking."""
        name = digest.hex()
        return f"{self.root_text}/{name[:2]}/{name}"

    def place_of(self, digest: bytes) -> Path:
        name = digest.hex()
        return self.root / name[:2] / name

    def folders(self) -> Iterator[Path]:
        return (self.root / f"{first:02x}" for first in range(256))

    async def run(self, pool: ThreadPoolExecutor, step: Callable[[], T]) -> T:
        """One blocking step in a worker thread; what the disk refuses is a `Fault`."""
        with world():
            return await asyncio.get_running_loop().run_in_executor(pool, step)


class DiskArrival:
    """Bytes on their way to the disk."""

    def __init__(self, bucket: DiskBucket, digest: bytes, size: int) -> None:
        self.bucket = bucket
        self.digest = digest
        self.size = size
        self.got = 0
        self.buffer: list[bytes] = []
        self.buffered = 0
        self.file = Incoming(bucket.incoming, f"{digest.hex()}.")
        self.step: asyncio.Future[None] | None = None

    async def write(self, chunk: bytes) -> None:
        self.got += len(chunk)
        if self.got > self.size:
            raise WrongBytes("size", f"more than the {self.size} bytes that were announced")
        self.buffer.append(chunk)
        self.buffered += len(chunk)
        if self.buffered >= BUFFER:
            await self.flush()

    async def finish(self, open_still: Callable[[], bool] = lambda: True) -> None:
        if self.got != self.size:
            raise WrongBytes("size", f"{self.got} bytes, not the {self.size} announced")
        await self.flush()
        await self.last_step()
        file, digest, settle = self.file, self.digest, self.bucket.settle
        await self.bucket.run(
            self.bucket.bytes_pool,
            lambda: file.publish(digest, lambda path: settle(path, digest, open_still)),
        )

    async def flush(self) -> None:
        """Begin to write what is buffered, once the step before is done."""
        data = b"".join(self.buffer)
        self.buffer, self.buffered = [], 0
        await self.last_step()
        self.step = asyncio.get_running_loop().run_in_executor(
            self.bucket.bytes_pool, self.file.append, data
        )
        self.step.add_done_callback(heard)

    async def last_step(self) -> None:
        """Wait for the step under way, and hear how it went."""
        if self.step is not None:
            step, self.step = self.step, None
            with world():
                await step

    async def __aenter__(self) -> "DiskArrival":
        return self

    async def __aexit__(self, *exc: object) -> None:
        # Shielded: also an upload that is being cancelled leaves nothing behind.
        await asyncio.shield(self.bucket.run(self.bucket.bytes_pool, self.file.discard))


def heard(step: asyncio.Future[None]) -> None:
    """Takes note of a step's outcome, so that one which nobody waits for is not reported."""
    if not step.cancelled():
        step.exception()


def check_writable(folder: Path) -> None:
    """Better to hear of it at the start than from every upload. Raises `PermissionError`."""
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def listing(folder: Path) -> list[tuple[bytes, int]]:
    """The objects in one folder; a file that is not named like one is none."""
    found: list[tuple[bytes, int]] = []
    for path in folder.iterdir():
        try:
            digest = bytes.fromhex(path.name)
            if len(digest) == DIGEST_SIZE and path.name == digest.hex():
                found.append((multihash_of(digest), path.stat().st_size))
        except (ValueError, FileNotFoundError):
            continue
    return found


@contextmanager
def world() -> Generator[None, None, None]:
    """What the disk refuses is the world not answering."""
    try:
        yield
    except OSError as why:
        raise Fault(f"the disk does not give or take bytes: {why}") from why
