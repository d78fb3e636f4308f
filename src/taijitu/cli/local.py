"""A service of one's own, for a moment: in a thread, on a folder and a free port.

Law: however the block ends, nothing is left running. If the process is killed, the same folder
makes the same service again, on the same port.
"""

import asyncio
import io
import socket
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvloop

from taijitu.cli.trouble import Refusal
from taijitu.server import config as configuration
from taijitu.server import logs
from taijitu.server.config import Config
from taijitu.server.listen import CannotListen
from taijitu.server.service import serve
from taijitu.server.trouble import CannotStart

START_MAX: Final = 20.0
"""Seconds that the service may take to start."""

STOP_MAX: Final = 20.0
"""Seconds that it may take to stop."""

PORT: Final = "port"
"""The file that remembers the port: the URLs and the DID of the service hold it."""

TRIES: Final = 5
"""How often a port that was free a moment ago may be taken."""


class Local(threading.Thread):
    """The thread in which a service runs. Signals stay with the main thread."""

    def __init__(self, config: Config) -> None:
        super().__init__(name="service", daemon=True)
        self.config = config
        self.is_ready = threading.Event()
        self.trouble: BaseException | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.stop: asyncio.Event | None = None
        self.is_over = False

    def run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self.serve())
        except BaseException as why:
            self.trouble = why
        finally:
            self.is_ready.set()

    async def serve(self) -> None:
        self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
        if self.is_over:  # it was ended before there was anything to tell
            return
        await serve(self.config, ready=lambda _: self.is_ready.set(), stop=self.stop)

    def begin(self) -> None:
        """Start, and return once requests are answered. Raises what kept it from starting."""
        self.start()
        if not self.is_ready.wait(START_MAX):
            raise Refusal(f"the service did not start within {START_MAX:g} s")
        if self.trouble is not None:
            raise self.trouble

    def end(self) -> None:
        """Stop, and return once it has."""
        self.is_over = True
        if self.loop is not None and self.stop is not None and self.is_alive():
            self.loop.call_soon_threadsafe(self.stop.set)
        self.join(STOP_MAX)


@contextmanager
def local_service(folder: Path, settings: Mapping[str, str]) -> Generator[Config, None, None]:
    """Its configuration, for as long as the block lasts. `settings` by their names in the
    environment, which itself is not looked at. Raises `CannotStart` or `Refusal`."""
    logs.configure("json", io.StringIO())
    service = started(folder, settings)
    try:
        yield service.config
    finally:
        service.end()


def started(folder: Path, settings: Mapping[str, str]) -> Local:
    """A service on the port that it had before, or on one that nobody uses."""
    file = folder / PORT
    before = file.read_text() if file.exists() else None
    for _ in range(TRIES):
        port = before or str(free_port())
        file.write_text(port)
        environ = {**settings, "TAIJITU_DATA": str(folder / "data"), "TAIJITU_PORT": port}
        service = Local(configuration.load(environ, folder).config)
        try:
            service.begin()
        except CannotListen:
            if before:
                raise
            continue
        except BaseException:
            service.end()
            raise
        return service
    raise CannotStart("no free port was found on 127.0.0.1")


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
