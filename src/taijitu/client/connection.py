"""HTTP, as far as a client of the service needs it: ask, put a file, read one.

Law: a request ends in an answer, in `Again` where another try may help, or in a `ClientError`; and
however it ends, also when it is cancelled, its connection is given back or closed.
"""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from html import unescape
from typing import Final, TypeVar

import aiohttp
from yarl import URL

from taijitu import __version__
from taijitu.client.content import CHUNK, Content, Progress
from taijitu.client.failures import (
    ClientError,
    NotAccepted,
    NotFound,
    Unavailable,
    Untrusted,
    Unusable,
)
from taijitu.client.retry import AGAIN, Again, wait_wanted
from taijitu.kernel.record import Record

V = TypeVar("V")

ANSWER_SIZE_MAX: Final = 16 * 1024 * 1024
"""Bytes of an answer that are read; stored bytes are read piece by piece."""

REASON_SIZE_MAX: Final = 16 * 1024
"""Bytes of a refusal that are read."""

REASON_LENGTH_MAX: Final = 600
"""Characters of a refusal that are told."""

REDIRECTS_MAX: Final = 5

S3_MESSAGE: Final = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)
CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,19})-")


class Times(Record):
    """How long things may take, in seconds."""

    connect: float = 10.0
    """To reach the service."""
    answer: float = 60.0
    """From a question to the whole of its answer."""
    silence: float = 60.0
    """In a transfer, without a single piece going through."""


class Answer(Record):
    """What HTTP answered: 2xx."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """To one service, and to wherever it says that bytes lie. Close it."""

    def __init__(self, times: Times) -> None:
        self.times = times
        self.http = aiohttp.ClientSession(
            headers={"user-agent": f"taijitu/{__version__}", "accept-encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=times.connect),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        await self.http.close()

    async def ask(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> Answer:
        """One question and its answer. Raises `Again` and `ClientError`s."""
        with told(url):
            async with (
                asyncio.timeout(self.times.answer),
                self.http.request(
                    method, address(url), data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                await judge(response)
                data = await body_of(response, ANSWER_SIZE_MAX + 1)
                if len(data) > ANSWER_SIZE_MAX:
                    raise Untrusted(f"the answer of {url} has more than {ANSWER_SIZE_MAX} bytes")
                return Answer(response.status, response.headers, data)

    async def put(
        self, url: str, headers: Mapping[str, str], content: Content, progress: Progress
    ) -> None:
        """Send bytes to where a receipt said. Raises as `ask`, and what reading them raises."""
        sized = {**headers, "content-length": str(content.size)}
        unread: list[Exception] = []
        with told(url):
            async with self.watched() as alive:

                async def body() -> AsyncGenerator[bytes]:
                    try:
                        async for chunk in content.chunks(progress):
                            yield chunk
                            alive()
                    except Exception as why:  # else it would look like trouble on the network
                        unread.append(why)
                        raise

                try:
                    async with self.http.put(
                        address(url), data=body(), headers=sized, allow_redirects=False
                    ) as response:
                        await judge(response)
                except aiohttp.ClientError:
                    if unread and isinstance(unread[0], ClientError):
                        raise unread[0] from None
                    if unread:
                        raise Unusable(f"what is to be sent cannot be read: {unread[0]}") from None
                    raise

    async def read(
        self, url: str, start: int = 0, headers: Mapping[str, str] = {}
    ) -> AsyncGenerator[bytes]:
        """The bytes at a URL from the offset `start` on, piece by piece. Raises as `ask`."""
        headers = {**headers, "range": f"bytes={start}-"} if start else headers
        silence = self.times.silence
        with told(url):
            asked = self.http.get(address(url), headers=headers, max_redirects=REDIRECTS_MAX)
            async with await within(silence, asked) as response:
                await judge(response)
                skip = start - first_byte(response)
                if skip < 0:
                    raise Untrusted(f"{shown(url)} answers with another part than was asked for")
                # Whoever takes the pieces may take his time, so only the reading is timed.
                while chunk := await within(silence, response.content.read(CHUNK)):
                    if skip < len(chunk):
                        yield chunk[skip:]
                    skip = max(0, skip - len(chunk))

    @asynccontextmanager
    async def watched(self) -> AsyncGenerator["Watch"]:
        """Raises `TimeoutError` within the block when nothing has moved for too long."""
        async with asyncio.timeout(self.times.silence) as limit:
            yield Watch(limit, self.times.silence)


class Watch:
    """Called when something has moved."""

    def __init__(self, limit: asyncio.Timeout, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self.loop = asyncio.get_running_loop()

    def __call__(self) -> None:
        if not self.limit.expired():
            self.limit.reschedule(self.loop.time() + self.seconds)


async def within(seconds: float, wanted: Awaitable[V]) -> V:
    """What comes of it in time. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        return await wanted


def address(url: str) -> URL:
    """A URL as it is spelled: a signature stands for its very characters. Raises `Unusable`."""
    try:
        found = URL(url, encoded=True)
    except ValueError:
        raise Unusable(f"{url[:200]!r} is not a URL") from None
    if found.scheme not in ("http", "https") or not found.host:
        raise Unusable(f"{url[:200]!r} is not a URL of http or https")
    return found


@contextmanager
def told(url: str) -> Generator[None]:
    """What goes wrong on the way, in words. Raises `Again` or `ClientError`s."""
    try:
        yield
    except aiohttp.ClientSSLError as why:
        raise Unavailable(f"{shown(url)} cannot be reached securely: {why}") from None
    except aiohttp.TooManyRedirects:
        raise NotAccepted(f"{shown(url)} redirects without end", 310) from None
    except aiohttp.InvalidURL:
        raise Unusable(f"{url[:200]!r} is not a URL") from None
    except TimeoutError as why:
        raise Again(f"{shown(url)} takes too long") from why
    except aiohttp.ClientConnectorError as why:
        raise Again(f"{shown(url)} cannot be reached: {reason(why.os_error)}") from why
    except (aiohttp.ClientError, OSError) as why:
        raise Again(f"the connection to {shown(url)} broke") from why


def reason(why: OSError) -> str:
    known = os.strerror(why.errno) if why.errno and why.errno > 0 else why.strerror
    return (known or str(why) or type(why).__name__).lower()


def shown(url: str) -> str:
    """A URL without what in it is secret."""
    return url.partition("?")[0]


async def judge(response: aiohttp.ClientResponse) -> None:
    """Return if it is an answer to what was asked; else raise what it means."""
    status = response.status
    if status in (200, 201, 204, 206):
        return
    if 300 <= status < 400:
        where = response.headers.get("location", "elsewhere")
        raise NotAccepted(f"{shown(str(response.url))} redirects to {where}: ask there", status)
    text = f"{shown(str(response.url))} answers {status}{sentence(await refusal_in(response))}"
    if status in AGAIN:
        raise Again(text, wait_wanted(response.headers.get("retry-after")))
    if status == 404:
        raise NotFound("NotFound", text)
    raise NotAccepted(text, status)


async def refusal_in(response: aiohttp.ClientResponse) -> str:
    """What a refusal says: its text, or the message in S3's document; nothing from a page."""
    kind = response.content_type
    text = (await body_of(response, REASON_SIZE_MAX)).decode("utf-8", "replace")
    if kind.endswith("xml") and (found := S3_MESSAGE.search(text)):
        text = unescape(found[1])
    elif kind != "text/plain":
        return ""
    return " ".join(text.split())[:REASON_LENGTH_MAX]


def sentence(text: str) -> str:
    return f": {text}" if text else ""


async def body_of(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, or as much of it as the limit allows."""
    parts: list[bytes] = []
    left = limit
    while left and (part := await response.content.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def first_byte(response: aiohttp.ClientResponse) -> int:
    """The offset at which a body begins; 0 for a whole one."""
    if response.status != 206:
        return 0
    found = CONTENT_RANGE.match(response.headers.get("content-range", ""))
    return int(found[1]) if found else 0
