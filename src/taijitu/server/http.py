"""Requests and answers: the little of HTTP that stands between ASGI and what we do with it."""

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any, Final, TypeAlias

from msgspec import field

from taijitu.kernel.record import Record
from taijitu.server.limits import SENT_AT_ONCE, SILENCE_MAX

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

TEXT: Final = "text/plain; charset=utf-8"

REQUESTS: Final = itertools.count(1)
PROCESS: Final = os.urandom(4).hex()
"""Tells the request ids of one process from those of another."""


class HttpAnswer(Record):
    """A whole answer. Header names are lower-case; the length is added when it is sent."""

    status: int
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


class Stream(Record):
    """An answer whose body is too long to hold: `length` bytes (`None`: nobody knows before it has
    ended), in `chunks`."""

    status: int
    headers: dict[str, str]
    length: int | None
    chunks: AsyncGenerator[bytes, None]


Answer: TypeAlias = HttpAnswer | Stream


class Refused(Exception):
    """The request is answered with a refusal, from wherever that was noticed."""

    def __init__(self, answer: HttpAnswer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Disconnected(Exception):
    """The client went away before it had sent everything. Nobody waits for an answer."""


class BrokenOff(Exception):
    """An answer cannot go on. The connection ends, so that nobody takes what came for the whole."""


def sentence(status: int, text: str, headers: dict[str, str] | None = None) -> HttpAnswer:
    """An answer that is one line of text."""
    return HttpAnswer(status, {"content-type": TEXT} | (headers or {}), f"{text}\n".encode())


class Request:
    """One request: who asks for what, and the body as it comes."""

    __slots__ = (
        *("client", "headers", "id", "method", "path", "query", "raw_path", "receive", "received"),
    )

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.id = f"{PROCESS}-{next(REQUESTS)}"
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.raw_path: str = (scope.get("raw_path") or self.path.encode()).decode("latin-1")
        self.client: str = (scope.get("client") or ("",))[0]
        self.query: str = scope["query_string"].decode("latin-1")
        self.headers = joined(scope["headers"])
        self.receive = receive
        self.received = 0

    @property
    def length(self) -> int | None:
        """The announced size of the body in bytes; `None` when none is announced."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, as it comes. Raises `Disconnected`."""
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            self.received += len(chunk)
            if chunk:
                yield chunk

    async def gone(self) -> None:
        """Returns when the client has gone away. For the time after the body was read."""
        while (await self.receive())["type"] != "http.disconnect":
            continue

    async def body(
        self, size_max: int, time_max: float, grow: Callable[[int], None] = lambda _: None
    ) -> bytes:
        """The whole body. `grow` is told how many bytes there are, as they come, and may raise.
        Raises `Refused` (413, 408) and `Disconnected`."""
        if (self.length or 0) > size_max:
            raise Refused(too_large(size_max))
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(time_max):
                async for chunk in self.chunks():
                    if self.received > size_max:
                        raise Refused(too_large(size_max))
                    grow(self.received)
                    parts.append(chunk)
        except TimeoutError:
            text = f"The body did not arrive within {time_max:g} seconds."
            raise Refused(sentence(408, text, {"connection": "close"})) from None
        return parts[0] if len(parts) == 1 else b"".join(parts)


def too_large(size_max: int) -> HttpAnswer:
    return sentence(413, f"The body is larger than {size_max} bytes.")


def joined(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name; those sent twice are joined by commas, as HTTP reads them."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


async def reply(request: Request, answer: Answer, extra: dict[str, str], send: Send) -> int:
    """Send an answer; without its body where only the head was asked for. Returns the size in
    bytes of what was given to the client. Raises `TimeoutError` when the client takes no more."""
    head = request.method == "HEAD"
    length = answer.length if isinstance(answer, Stream) else len(answer.body)
    headers = answer.headers | extra
    if answer.status not in (204, 304) and length is not None:
        headers.setdefault("content-length", str(length))
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    start = {"type": "http.response.start", "status": answer.status, "headers": pairs}
    if isinstance(answer, Stream):
        async with aclosing(answer.chunks) as chunks:
            await send(start)
            return await pour(request, chunks, send)
    await send(start)
    body = b"" if head else answer.body
    await send({"type": "http.response.body", "body": body, "more_body": False})
    return len(body)


async def pour(request: Request, chunks: AsyncIterator[bytes], send: Send) -> int:
    """Send a long body, for as long as there is someone who takes it."""
    sent = 0
    gone = asyncio.create_task(request.gone())
    try:
        async for chunk in chunks:
            for start in range(0, len(chunk), SENT_AT_ONCE):
                if gone.done():
                    raise Disconnected
                part = chunk[start : start + SENT_AT_ONCE]
                async with asyncio.timeout(SILENCE_MAX):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                sent += len(part)
    finally:
        gone.cancel()
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return sent
