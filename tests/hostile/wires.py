"""Connections by hand: bytes that no HTTP client would send."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from support.service import Service

ANSWER_SECONDS_MAX = 10


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def rest(self, seconds: float = ANSWER_SECONDS_MAX) -> bytes:
        """All that comes until the other side closes."""
        async with asyncio.timeout(seconds):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def head(self, seconds: float = ANSWER_SECONDS_MAX) -> bytes:
        """What comes up to the empty line of an answer."""
        async with asyncio.timeout(seconds):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def hang_up(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def wire_to(service: Service) -> AsyncGenerator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


def request(method: str, target: str, headers: Mapping[str, object]) -> bytes:
    """The head of a request, on a connection that ends with it."""
    lines = [f"{name}: {value}" for name, value in {"connection": "close", **headers}.items()]
    if "host" not in headers:
        lines.append("host: localhost")
    return "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])
