"""Taking bytes in: `PUT /{link}/{link}.car` with a signed URL, as S3 takes them.

Law: what is stored is what was signed for: that object, that size, that digest, begun before the
URL expired and finished before it closes. Anything else leaves no byte behind.

What happened is not told to the engine as a fact. `hint` only says: look at this object.
"""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Final

from taijitu.buckets.names import digest_of, named_by
from taijitu.buckets.port import LocalBucket, TooLate, WrongBytes
from taijitu.buckets.presign import CHECKSUM, PUT_HEADERS, Presigner, Signed
from taijitu.server.http import Answer, HttpAnswer, Request
from taijitu.server.limits import (
    SILENCE_MAX,
    UPLOADS_MAX,
    UPLOADS_OF_ONE_MAX,
    Full,
    Slots,
    SlotsByName,
)
from taijitu.server.logs import log
from taijitu.server.refusals import refusal

SECOND: Final = 1000
"""Milliseconds."""

Hint = Callable[[bytes], Awaitable[None]]
"""Told the multihash of an object that may have arrived."""


class Uploads:
    """The door through which bytes come in."""

    def __init__(
        self, bucket: LocalBucket, urls: Presigner, hint: Hint, now_ms: Callable[[], int]
    ) -> None:
        self.bucket = bucket
        self.urls = urls
        self.hint = hint
        self.now_ms = now_ms
        self.slots = Slots(UPLOADS_MAX)
        self.slots_of_one = SlotsByName(UPLOADS_OF_ONE_MAX)

    async def put(self, request: Request) -> Answer:
        """Check the URL, take the bytes, give the hint."""
        if request.length is None:
            return refusal(request, 411, "MissingContentLength", "The size has to be announced.")
        signed = self.urls.check(
            request.method,
            request.raw_path,
            request.query,
            request.headers,
            now_ms=self.now_ms(),
            signed=PUT_HEADERS,
        )
        if not isinstance(signed, Signed):
            return refusal(request, signed.status, signed.code, signed.text)
        multihash = named_by(request.raw_path)
        if multihash is None:
            return refusal(request, 403, "AccessDenied", "No object has this name.")
        try:
            with self.slots.one(), self.slots_of_one.one(multihash):
                return await self.take_in(request, multihash, request.length, signed.closes)
        except Full:
            return refusal(request, 503, "SlowDown", "Too many uploads are under way. Try again.")

    async def take_in(self, request: Request, multihash: bytes, size: int, closes: int) -> Answer:
        """Store the body, or say why not."""
        try:
            await self.store(request, multihash, size, closes)
        except WrongBytes as why:
            code = "BadDigest" if why.what == "digest" else "IncompleteBody"
            return refusal(request, 400, code, f"The bytes are not those announced: {why}.")
        except (TooLate, TimeoutError):
            if self.now_ms() < closes:
                return refusal(request, 400, "RequestTimeout", "No byte came for too long.")
            return refusal(
                request, 403, "AccessDenied", "The request has expired while bytes came."
            )
        await self.tell(multihash)
        checksum = b64encode(digest_of(multihash)).decode()
        return HttpAnswer(200, {"etag": etag_of(multihash), CHECKSUM: checksum})

    async def store(self, request: Request, multihash: bytes, size: int, closes: int) -> None:
        """Raises `WrongBytes`, `TooLate` or `TimeoutError`, and then nothing was stored."""
        loop = asyncio.get_running_loop()
        end = loop.time() + (closes - self.now_ms()) / SECOND
        async with asyncio.timeout_at(end) as limit, self.bucket.arrive(multihash, size) as arrival:
            limit.reschedule(min(end, loop.time() + SILENCE_MAX))
            async for chunk in request.chunks():
                await arrival.write(chunk)
                limit.reschedule(min(end, loop.time() + SILENCE_MAX))
            limit.reschedule(end)
            await arrival.finish(lambda: self.now_ms() < closes)

    async def tell(self, multihash: bytes) -> None:
        """The bytes are safe, whatever becomes of the hint: a lost one is made good by the timer
        that looks before it expires anything."""
        try:
            await self.hint(multihash)
        except Exception:
            log.exception("hint not taken", multihash=multihash.hex())


def etag_of(multihash: bytes) -> str:
    """The entity tag of an object: its digest, so it is strong and never reused."""
    return f'"{digest_of(multihash).hex()}"'
