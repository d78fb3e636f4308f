"""Goal: whoever does not take what he asked for is let go, whether his answer is on its way, has
been given, or is the last one; and whoever takes it slowly is not.

Method: connections by hand whose buffers are small, and a time of fractions of a second.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from uvicorn.server import ServerState

from taijitu.server import connection
from taijitu.server.connection import Connection
from taijitu.server.http import Receive, Scope, Send
from taijitu.server.limits import SENT_AT_ONCE
from taijitu.server.listen import Door, open_port, serve

LARGE = 16 * 1024 * 1024
"""Bytes: more than the kernel takes for a reader who reads nothing."""

BUFFER = 4_096
"""Bytes that the kernel is to keep for a reader."""

SILENCE = 0.2
"""Seconds …"""
STEP = 0.15
"""… and a part of them that fits in, and twice does not."""

Ended = asyncio.Queue[Connection]


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Ended:
    """Connections of the service, once they are gone."""
    queue, lost = Ended(), Connection.connection_lost

    def connection_lost(self: Connection, exc: Exception | None) -> None:
        lost(self, exc)
        queue.put_nowait(self)

    monkeypatch.setattr(Connection, "connection_lost", connection_lost)
    return queue


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SILENCE_MAX", SILENCE)


async def give(scope: Scope, receive: Receive, send: Send) -> None:
    """A large answer, in one piece."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(LARGE)})


@asynccontextmanager
async def asking(*paths: str, last: bool = False) -> AsyncGenerator[socket.socket]:
    """A connection on which these were asked for, of a service that answers with `give`."""
    stop, ready, sock = asyncio.Event(), asyncio.Event(), open_port("127.0.0.1", 0)
    address = sock.getsockname()
    serving = asyncio.create_task(serve([Door(give, sock)], ready=ready.set, stop=stop))
    await ready.wait()
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        client.setblocking(False)
        await loop.sock_connect(client, address)
        end = "connection: close\r\n" if last else ""
        for path in paths:
            await loop.sock_sendall(client, f"GET {path} HTTP/1.1\r\nhost: x\r\n{end}\r\n".encode())
        yield client
    stop.set()
    await serving


async def gone(ended: Ended) -> Connection:
    async with asyncio.timeout(5):
        return await ended.get()


@pytest.mark.parametrize("last", [False, True])
async def test_an_answer_that_nobody_takes_ends_the_connection(ended: Ended, last: bool) -> None:
    async with asking("/", last=last):
        assert (await gone(ended)).cycle.response_complete


async def test_who_asks_again_and_takes_nothing_is_let_go_before_the_second_answer(
    ended: Ended,
) -> None:
    async with asking("/", "/"):
        cycle = (await gone(ended)).cycle
        assert cycle.disconnected
        assert not cycle.response_started


class Taker(asyncio.Transport):
    """Takes bytes when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.waiting += len(data)

    def get_write_buffer_size(self) -> int:
        return self.waiting


async def test_who_takes_slowly_what_waits_for_him_is_not_let_go() -> None:
    taker, now = Taker(), asyncio.get_running_loop().time()
    talking = Connection(uvicorn.Config(give, log_config=None), ServerState(), {})
    talking.connection_made(taker)
    talking.data_received(b"GET / HTTP/1.1\r\n\r\n")
    talking.cycle.transport.write(bytes(10 * SENT_AT_ONCE))
    for _ in range(10):
        assert not talking.is_overdue(now := now + STEP)
        taker.waiting -= SENT_AT_ONCE
        assert not talking.is_overdue(now := now + STEP)
    talking.cycle.transport.write(b"the rest")
    assert not talking.is_overdue(now + STEP)
    taker.waiting -= 1
    assert talking.is_overdue(now + 2 * STEP)
