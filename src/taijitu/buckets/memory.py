"""A bucket in memory: for tests and for trying things out. It forgets when the process ends."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from taijitu.buckets.names import digest_of
from taijitu.buckets.port import READ_CHUNK, Missing, TooLate, Upload, WrongBytes
from taijitu.buckets.presign import Presigner


class MemoryBucket:
    """Objects in a dict. Everything happens at once, so every law holds at every `await`."""

    def __init__(self, presigner: Presigner) -> None:
        self.presigner = presigner
        self.stored: dict[bytes, bytes] = {}

    async def stat(self, multihash: bytes) -> int | None:
        return self.stat_now(multihash)

    def stat_now(self, multihash: bytes) -> int | None:
        digest_of(multihash)
        data = self.stored.get(multihash)
        return None if data is None else len(data)

    def read_now(self, multihash: bytes, size_max: int) -> bytes | None:
        digest_of(multihash)
        data = self.stored.get(multihash)
        return None if data is None or len(data) > size_max else data

    def presign(self, multihash: bytes, size: int, at_ms: int) -> Upload:
        return self.presigner.put(multihash, size, at_ms)

    async def delete(self, multihash: bytes) -> None:
        digest_of(multihash)
        self.stored.pop(multihash, None)

    async def objects(self) -> AsyncIterator[tuple[bytes, int]]:
        for multihash, data in list(self.stored.items()):
            yield multihash, len(data)

    async def read(
        self, multihash: bytes, start: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        digest_of(multihash)
        data = self.stored.get(multihash)
        if data is None:
            raise Missing("no object with that digest")
        end = len(data) if length is None else min(len(data), start + length)
        for at in range(start, end, READ_CHUNK):
            yield data[at : min(end, at + READ_CHUNK)]

    async def read_at(self, multihash: bytes, start: int, length: int) -> bytes:
        digest_of(multihash)
        data = self.stored.get(multihash)
        if data is None:
            raise Missing("no object with that digest")
        return data[start : start + length]

    def arrive(self, multihash: bytes, size: int) -> "MemoryArrival":
        return MemoryArrival(self.stored, multihash, size)


class MemoryArrival:
    """Bytes on their way into a dict."""

    def __init__(self, stored: dict[bytes, bytes], multihash: bytes, size: int) -> None:
        self.stored = stored
        self.multihash = multihash
        self.digest = digest_of(multihash)
        self.size = size
        self.data = bytearray()

    async def write(self, chunk: bytes) -> None:
        if len(self.data) + len(chunk) > self.size:
            raise WrongBytes("size", f"more than the {self.size} bytes that were announced")
        self.data += chunk

    async def finish(self, open_still: Callable[[], bool] = lambda: True) -> None:
        if len(self.data) != self.size:
            raise WrongBytes("size", f"{len(self.data)} bytes, not the {self.size} announced")
        if hashlib.sha256(self.data).digest() != self.digest:
            raise WrongBytes("digest", "the sha2-256 digest is not the one announced")
        if not open_still():
            raise TooLate("the time for this upload is over")
        self.stored[self.multihash] = bytes(self.data)

    async def __aenter__(self) -> "MemoryArrival":
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.data = bytearray()
