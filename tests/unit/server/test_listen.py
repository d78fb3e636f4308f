"""Listening, impatience and stopping, on real sockets."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from taijitu.server import connection
from taijitu.server.http import Receive, Scope, Send
from taijitu.server.listen import CannotListen, Door, open_port, open_unix, serve, short
from unit.server.running import free_port


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"hello")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def fetched(url: str, connector: aiohttp.BaseConnector | None = None) -> str:
    async with aiohttp.ClientSession(connector=connector) as http, http.get(url) as answer:
        return await answer.text()


@contextlib.asynccontextmanager
async def listening(*doors: Door) -> AsyncIterator[None]:
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(serve(doors, ready=ready.set, stop=stop))
    await ready.wait()
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(12):
            await task


def port_of(door: Door) -> int:
    return door.socket.getsockname()[1]


async def test_a_port_in_use_is_refused_in_words() -> None:
    with open_port("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"port {port} on 127.0.0.1 is in use"):
            open_port("127.0.0.1", port)


async def test_a_host_that_is_not_ours_is_refused_in_words() -> None:
    with pytest.raises(CannotListen, match="cannot listen on"):
        open_port("203.0.113.7", free_port())


async def test_one_process_answers_on_a_port_and_on_a_unix_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    deep.mkdir(parents=True)
    path = deep / "taijitu.sock"
    tcp, unix = Door(hello, open_port("127.0.0.1", 0)), Door(hello, open_unix(path))
    assert path.stat().st_mode & 0o777 == 0o600
    async with listening(tcp, unix):
        assert await fetched(f"http://127.0.0.1:{port_of(tcp)}/") == "hello"
        with short(path) as address:
            assert await fetched("http://door/", aiohttp.UnixConnector(address)) == "hello"


async def test_a_unix_socket_of_a_dead_process_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "taijitu.sock"
    open_unix(path).close()
    assert path.exists()
    open_unix(path).close()
    path.unlink()
    path.write_text("not a socket")
    with pytest.raises(CannotListen):
        open_unix(path)
    assert path.read_text() == "not a socket"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits, in fractions of what they are."""
    monkeypatch.setattr(connection, "HEAD_TIME_MAX", 0.2)
    monkeypatch.setattr(connection, "LINGER_TIME_MAX", 0.2)


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What came until the other side closed."""
    async with asyncio.timeout(5):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("begin", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nhost: x\r\nx"])
async def test_a_head_that_does_not_end_ends_the_connection(begin: bytes) -> None:
    door = Door(hello, open_port("127.0.0.1", 0))
    async with listening(door):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(door))
        writer.write(begin)
        assert await closed(reader) == b""
        writer.close()


@pytest.mark.usefixtures("impatient")
async def test_a_head_that_drips_gets_no_more_time() -> None:
    door = Door(hello, open_port("127.0.0.1", 0))
    async with listening(door):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(door))
        writer.write(b"GET / HTTP/1.1\r\n")

        async def drip() -> None:
            while True:
                writer.write(b"x: y\r\n")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert await closed(reader) == b""
        dripping.cancel()
        writer.close()


@pytest.mark.usefixtures("impatient")
async def test_a_second_request_on_a_connection_is_watched_as_well() -> None:
    door = Door(hello, open_port("127.0.0.1", 0))
    async with listening(door):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(door))
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"GET / HT")
        assert await closed(reader) == b""
        writer.close()


async def test_a_head_that_is_too_large_is_431() -> None:
    door = Door(hello, open_port("127.0.0.1", 0))
    async with listening(door):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(door))
        writer.write(b"GET / HTTP/1.1\r\nx: " + b"y" * connection.HEAD_SIZE_MAX)
        assert (await closed(reader)).startswith(b"HTTP/1.1 431 ")
        writer.close()


@pytest.mark.usefixtures("impatient")
async def test_a_body_that_nobody_wants_is_taken_only_for_a_moment() -> None:
    door = Door(hello, open_port("127.0.0.1", 0))
    async with listening(door):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(door))
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nabc")
        assert (await closed(reader)).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_what_is_no_http_is_400() -> None:
    door = Door(hello, open_port("127.0.0.1", 0))
    async with listening(door):
        for sent in (b"\x16\x03\x01\x02\x00\x01\n\r\n\r\n", b"GET /\x00 HTTP/1.1\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(door))
            writer.write(sent)
            assert (await closed(reader)).startswith(b"HTTP/1.1 400 ")
            writer.close()


async def test_a_request_under_way_is_answered_before_the_end() -> None:
    inside, go = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        inside.set()
        await go.wait()
        await hello(scope, receive, send)

    door = Door(slow, open_port("127.0.0.1", 0))
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(serve([door], ready=ready.set, stop=stop))
    await ready.wait()
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(door))
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await inside.wait()
    stop.set()
    go.set()
    assert (await closed(reader)).startswith(b"HTTP/1.1 200 ")
    writer.close()
    async with asyncio.timeout(12):
        await task


PROGRAM = """
import asyncio, sys
from taijitu.server.listen import Door, open_port, serve

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})

async def main():
    door = Door(app, open_port("127.0.0.1", 0))
    port = door.socket.getsockname()[1]
    await serve([door], ready=lambda: print(port, flush=True))
    print("stopped", flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_service_in_good_order(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)):
            process.send_signal(number)
            assert process.stdout.readline() == b"stopped\n"
            assert process.wait(10) == 0
