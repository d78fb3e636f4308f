"""Listening: uvicorn inside our own event loop, on TCP and on a Unix socket, until told to stop.

Sockets are opened here first, so that "the port is taken" is one sentence and not a traceback, and
so that nobody is let in before everything behind the door is ready.
"""

import asyncio
import contextlib
import errno
import os
import resource
import signal
import socket
import stat
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, NamedTuple, cast

import uvicorn

from taijitu.server.connection import Connection
from taijitu.server.http import AsgiApp
from taijitu.server.limits import IDLE_TIME_MAX, STOP_TIME_MAX
from taijitu.server.trouble import CannotStart

BACKLOG: Final = 2048
"""Connections that the kernel keeps waiting."""

TICKS_A_SECOND: Final = 10
"""How often uvicorn calls `on_tick`."""

UNIX_PATH_MAX: Final = 100
"""Bytes of a socket's path that every kernel takes."""

FILES_MAX: Final = 65_536
"""Open files that we ask the kernel for."""


class CannotListen(CannotStart):
    """The address cannot be listened on."""


class Door(NamedTuple):
    """An application and the socket it answers on."""

    app: AsgiApp
    socket: socket.socket


def open_port(host: str, port: int) -> socket.socket:
    """A TCP socket, bound and not yet listening. Raises `CannotListen`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as why:
        raise CannotListen(f"cannot listen on {host}: {why.strerror}") from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and host == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as why:
        sock.close()
        raise CannotListen(unusable(host, port, why)) from None
    sock.setblocking(False)
    return sock


def unusable(host: str, port: int, why: OSError) -> str:
    """The sentence for an address that cannot be had."""
    if why.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is in use by another program. Stop it, or set TAIJITU_PORT "
            "to another port"
        )
    if why.errno == errno.EACCES:
        return f"port {port} on {host} needs more rights than this user has. Set TAIJITU_PORT"
    return f"cannot listen on {host}, port {port}: {why.strerror}"


def open_unix(path: Path) -> socket.socket:
    """A Unix socket at `path` that only this user can reach (mode 0600). One left over by a process
    that died is replaced: the caller owns the folder. Raises `CannotListen`."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
        # The socket's own mode is the mode the name is made with: there is no moment in between.
        os.fchmod(sock.fileno(), 0o600)
        with short(path) as address:
            sock.bind(address)
        path.chmod(0o600)
        sock.listen(BACKLOG)
    except OSError as why:
        sock.close()
        raise CannotListen(f"cannot listen on {path}: {why.strerror or why}") from None
    sock.setblocking(False)
    return sock


@contextmanager
def short(path: Path) -> Generator[str, None, None]:
    """A name for a socket's path that fits into a socket address, for as long as the block lasts.
    Deep folders have longer paths than a kernel takes (about 108 bytes)."""
    if len(os.fsencode(path)) <= UNIX_PATH_MAX:
        yield str(path)
        return
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{fd}/{path.name}"
    finally:
        os.close(fd)


async def serve(
    doors: Sequence[Door],
    *,
    ready: Callable[[], None] = lambda: None,
    stop: asyncio.Event | None = None,
) -> None:
    """Answer on every door until SIGTERM, SIGINT or `stop`. Requests under way then get up to
    `STOP_TIME_MAX` seconds; a second signal ends them at once. `ready` is called when connections
    are accepted. Closes the sockets. Start what is behind the doors before, stop it after."""
    stop = stop or asyncio.Event()
    raise_file_limit()
    listeners = [Listener(door) for door in doors]
    with signals(lambda: halt(listeners, stop)):
        async with running(listeners, stop):
            ready()
            await stop.wait()


@asynccontextmanager
async def running(
    listeners: Sequence["Listener"], stop: asyncio.Event
) -> AsyncGenerator[None, None]:
    """All listeners, accepting within the block and ended after it."""
    tasks = [asyncio.create_task(listener.run(stop)) for listener in listeners]
    try:
        for listener in listeners:
            await listener.is_open.wait()
        yield
    finally:
        for listener in listeners:
            listener.should_exit = True
        await asyncio.gather(*tasks)


def halt(listeners: Sequence["Listener"], stop: asyncio.Event) -> None:
    """A signal came: stop; if we were stopping already, stop waiting."""
    if stop.is_set():
        for listener in listeners:
            listener.force_exit = True
    stop.set()


class Listener(uvicorn.Server):
    """One uvicorn server on one socket. It leaves signals and start-up to us."""

    def __init__(self, door: Door) -> None:
        super().__init__(
            uvicorn.Config(
                door.app,
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=IDLE_TIME_MAX,
                timeout_graceful_shutdown=STOP_TIME_MAX,
            )
        )
        self.socket = door.socket
        self.is_open = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:  # type: ignore[override]
        """Accept and answer until `should_exit`. What goes wrong stops everything else, too."""
        try:
            await self._serve([self.socket])
        finally:
            self.is_open.set()
            stop.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_open.set()

    async def on_tick(self, counter: int) -> bool:
        """Once a second, end the connections whose time is over."""
        if counter % TICKS_A_SECOND == 0:
            now = asyncio.get_running_loop().time()
            for connection in cast("list[Connection]", list(self.server_state.connections)):
                if connection.is_overdue(now):
                    connection.transport.abort()
        return await super().on_tick(counter)


@contextmanager
def signals(act: Callable[[], None]) -> Generator[None, None, None]:
    """Call `act` on SIGTERM and SIGINT, for as long as the block lasts. In a thread other than the
    main one signals cannot be had, and are not."""
    loop = asyncio.get_running_loop()
    taken: list[signal.Signals] = []
    with contextlib.suppress(ValueError, RuntimeError):
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, act)
            taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


def raise_file_limit() -> None:
    """Ask for as many open files as we may have, up to `FILES_MAX`: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(FILES_MAX, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
