"""Giving bytes out: `GET` and `HEAD /{link}/{link}.car`, whole or a part.

An object never changes, so answers may be kept for ever by whoever got them.
"""

from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from taijitu.buckets.names import digest_of, named_by
from taijitu.buckets.port import Bucket, Missing
from taijitu.buckets.presign import CHECKSUM, GET_HEADERS, Presigner, Signed
from taijitu.server.http import Answer, HttpAnswer, Request, Stream, sentence
from taijitu.server.limits import DOWNLOADS_MAX, RETRY_AFTER, Full, Slots
from taijitu.server.ranges import Part, holds, known, part_of, range_holds
from taijitu.server.refusals import refusal
from taijitu.server.settings import Reading
from taijitu.server.uploads import etag_of

CAR_TYPE: Final = "application/vnd.ipld.car"
YEAR: Final = 31_536_000
"""Seconds."""

SIGNATURE: Final = "x-amz-"
"""A query that holds it claims to be signed, and is held to that."""


async def nothing_is(_multihash: bytes) -> bool:
    """Nobody objects."""
    return False


async def everything_is(_multihash: bytes) -> bool:
    """Somebody has it."""
    return True


class Downloads:
    """The door through which bytes go out. `is_denied` tells those that the operator keeps in,
    `is_held` those that the public may have: somebody who is not blocked holds them."""

    def __init__(
        self,
        bucket: Bucket,
        urls: Presigner,
        reading: Reading,
        now_ms: Callable[[], int],
        *,
        is_denied: Callable[[bytes], Awaitable[object]] = nothing_is,
        is_held: Callable[[bytes], Awaitable[bool]] = everything_is,
    ) -> None:
        self.bucket = bucket
        self.urls = urls
        self.reading: Reading = reading
        self.now_ms = now_ms
        self.is_denied = is_denied
        self.is_held = is_held
        self.slots = Slots(DOWNLOADS_MAX)

    async def get(self, request: Request) -> Answer:
        """An object or a part of it; for `HEAD`, what would be said about it."""
        multihash = named_by(request.raw_path)
        if multihash is None:
            return sentence(404, "There is nothing here. Objects are at /{link}/{link}.car.")
        denied = self.denied(request)
        if denied:
            return denied
        if await self.is_denied(multihash):
            return sentence(410, "This object is blocked here.", {"cache-control": "no-store"})
        # Whoever brings a signed URL was let in by the space itself, even if that is blocked.
        if not is_signed(request) and not await self.is_held(multihash):
            return absent()
        size = await self.bucket.stat(multihash)
        if size is None:
            return absent()
        return await self.answer(request, multihash, size)

    def denied(self, request: Request) -> HttpAnswer | None:
        """The refusal, where the request may not read."""
        if is_signed(request):
            signed = self.urls.check(
                request.method,
                request.raw_path,
                request.query,
                request.headers,
                now_ms=self.now_ms(),
                signed=GET_HEADERS,
            )
            if not isinstance(signed, Signed):
                return refusal(request, signed.status, signed.code, signed.text)
        elif self.reading == "closed":
            return refusal(request, 403, "AccessDenied", "Reading takes a signed URL here.")
        return None

    async def answer(self, request: Request, multihash: bytes, size: int) -> Answer:
        """The answer for an object that is there."""
        asked, etag = request.headers, etag_of(multihash)
        headers = self.headers(multihash, etag)
        if not holds(asked.get("if-match"), etag):
            return sentence(412, "The object is not the one that was asked for.")
        if known(asked.get("if-none-match"), etag):
            return HttpAnswer(304, headers)
        part = None
        if request.method == "GET" and range_holds(asked.get("if-range"), etag):
            part = part_of(asked.get("range"), size)
        if part == "unsatisfiable":
            text = f"The object has {size} bytes, and the range is none of them."
            return sentence(416, text, {"content-range": f"bytes */{size}"})
        if request.method == "HEAD":
            return HttpAnswer(200, headers | {"content-length": str(size)})
        return await self.stream(multihash, size, part, headers)

    async def stream(
        self, multihash: bytes, size: int, part: Part | None, headers: dict[str, str]
    ) -> Answer:
        """The bytes, once the first of them could be read."""
        start, length = part or Part(0, size)
        chunks = self.primed(multihash, start, length)
        try:
            await anext(chunks)
        except Full:
            text = "Too many downloads are under way. Try again."
            return sentence(503, text, {"retry-after": RETRY_AFTER})
        except Missing:
            return absent()
        if part is None:
            return Stream(200, headers, length, chunks)
        span = {"content-range": f"bytes {start}-{start + length - 1}/{size}"}
        return Stream(206, headers | span, length, chunks)

    async def primed(
        self, multihash: bytes, start: int, length: int
    ) -> AsyncGenerator[bytes, None]:
        """The bytes; before them, one empty chunk as a sign that they can be read. So a refusal
        can still be an answer, and whoever took the sign has only this to close."""
        with self.slots.one():
            async with aclosing(self.bucket.read(multihash, start, length)) as chunks:
                first = await anext(chunks, b"")
                yield b""
                yield first
                async for chunk in chunks:
                    yield chunk

    def headers(self, multihash: bytes, etag: str) -> dict[str, str]:
        """What is said about an object in every answer that has to do with it."""
        who = "public" if self.reading == "public" else "private"
        return {
            "content-type": CAR_TYPE,
            "etag": etag,
            "accept-ranges": "bytes",
            "cache-control": f"{who}, max-age={YEAR}, immutable",
            CHECKSUM: b64encode(digest_of(multihash)).decode(),
            "x-content-type-options": "nosniff",
        }


def is_signed(request: Request) -> bool:
    """Whether a request claims to be signed."""
    return SIGNATURE in request.query.lower()


def absent() -> HttpAnswer:
    return sentence(404, "This object is not stored here.", {"cache-control": "no-store"})
