"""A network that fails: a TCP proxy that breaks connections at a chosen byte.

A trap is sprung once: it lets so many bytes through in one direction, over whatever connections,
and then breaks the one on which the next byte comes.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

CHUNK = 64 * 1024

Direction = Literal["up", "down"]


@dataclass
class Trap:
    """Breaks the connection after `left` more bytes `up` to the service, or `down` from it."""

    direction: Direction
    left: int = 0


class Proxy:
    """Make one with `between`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.traps: deque[Trap] = deque()
        self.sprung = 0
        self.passed = {"up": 0, "down": 0}
        self.open = 0
        self.held: Direction | None = None
        self.holding = asyncio.Event()
        """Set once bytes are held back."""
        self.free = asyncio.Event()

    def cut(self, direction: Direction, *, after: int = 0, times: int = 1) -> None:
        """Set a trap, to be sprung after those that are set already."""
        self.traps += [Trap(direction, after) for _ in range(times)]

    def hold(self, direction: Direction) -> None:
        """Let nothing through in this direction until `release`."""
        self.held = direction
        self.holding.clear()
        self.free.clear()

    def release(self) -> None:
        self.held = None
        self.free.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            self.open -= 1
            return
        pumps = [
            asyncio.create_task(self.pump(reader, back, "up")),
            asyncio.create_task(self.pump(there, writer, "down")),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in (writer, back):
                end.transport.abort()
            for pump in pumps:
                pump.cancel()
            self.open -= 1
            await asyncio.gather(*pumps, return_exceptions=True)

    async def pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction
    ) -> None:
        """Carry bytes one way, until an end closes or a trap is sprung."""
        while chunk := await reader.read(CHUNK):
            if self.held == direction:
                self.holding.set()
                await self.free.wait()
            trap = self.traps[0] if self.traps and self.traps[0].direction == direction else None
            if trap is not None and len(chunk) > trap.left:
                self.traps.popleft()
                self.sprung += 1
                writer.write(chunk[: trap.left])
                await writer.drain()
                return
            if trap is not None:
                trap.left -= len(chunk)
            self.passed[direction] += len(chunk)
            writer.write(chunk)
            await writer.drain()


@asynccontextmanager
async def between(port: int, target: int) -> AsyncGenerator[Proxy]:
    """A proxy that listens on `port` for as long as the block lasts."""
    proxy = Proxy(target)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(proxy.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    try:
        yield proxy
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
