"""The real service as a process: started, asked, stopped, killed, started again.

Every test that needs one gets a data folder and a port of its own. Nothing here reaches into
the process; it is known by its exit code, its output and what it answers.
"""

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

import pytest

SOURCE = Path(__file__).parents[2] / "src"

PORTS = range(20_000, 32_000)
"""Below the range from which the system takes the ports of outgoing connections."""

START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 15
ANSWER_SECONDS_MAX = 5
POLL_SECONDS = 0.02
OUTPUT_SHOWN_MAX = 8_000
"""Characters of output that an error shows, from its end."""


HTTP = build_opener(ProxyHandler({}))
"""Straight to the service, whatever proxy the environment names."""


class ServiceFailed(AssertionError):
    """The process did not do what it was asked; says what it printed."""


class Service:
    """One service on one data folder. Its port, and so its DID, stay the same over restarts."""

    def __init__(self, data: Path, settings: dict[str, str] | None = None) -> None:
        """`settings` are environment variables by full name, as `TAIJITU_UPLOAD_WINDOW`."""
        self.data = data
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.settings = settings or {}
        self.log = data.with_name(f"{data.name}.log")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def did(self) -> str:
        return str(self.get_json("/version")["did"])

    @property
    def output(self) -> str:
        """What it has printed so far, over all its lives."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def start(self) -> "Service":
        """Return once it answers. Raises `ServiceFailed` if it exits or stays silent."""
        assert self.process is None, "it is running already"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "taijitu", "serve"],
                env=self.environment(),
                cwd=self.data.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self.is_healthy():
            code = exit_code(self.process, POLL_SECONDS)
            if code is not None:
                self.process = None
                raise self.failed(f"exited with {code} instead of starting")
            if time.monotonic() > deadline:
                self.kill()
                raise self.failed(f"did not answer within {START_SECONDS_MAX} s")
        return self

    def stop(self) -> int:
        """Ask it to end, and wait. Returns the exit code; raises if it does not end in time."""
        process = self.running()
        process.terminate()
        code = exit_code(process, STOP_SECONDS_MAX)
        if code is None:
            self.kill()
            raise self.failed(f"did not stop within {STOP_SECONDS_MAX} s")
        self.process = None
        return code

    def kill(self) -> None:
        """End it with no chance to put anything in order."""
        process = self.running()
        process.kill()
        process.wait()
        self.process = None

    def restart(self) -> "Service":
        """Stop it in good order and start it again on the same data."""
        self.stop()
        return self.start()

    def get_json(self, path: str) -> dict[str, Any]:
        with HTTP.open(self.url + path, timeout=ANSWER_SECONDS_MAX) as answer:
            return json.load(answer)

    def is_healthy(self) -> bool:
        try:
            with HTTP.open(f"{self.url}/health", timeout=ANSWER_SECONDS_MAX):
                return True
        except HTTPError as error:
            error.close()
            return False
        except (URLError, OSError):
            return False

    def environment(self) -> dict[str, str]:
        """This process's own, less whatever would set the service up differently."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("TAIJITU_")}
        return inherited | {
            "PYTHONPATH": str(SOURCE),
            "TAIJITU_DATA": str(self.data),
            "TAIJITU_PORT": str(self.port),
            **self.settings,
        }

    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None, "it is not running"
        return self.process

    def failed(self, what: str) -> ServiceFailed:
        return ServiceFailed(f"the service {what}\n{self.output[-OUTPUT_SHOWN_MAX:]}")


def free_port() -> int:
    """A port on which nobody listens now."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def exit_code(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The exit code if it ends within `seconds`, else `None`."""
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None


@contextmanager
def running(service: Service) -> Iterator[Service]:
    """Start it; at the end stop it, whatever happened, and insist that it went in good order."""
    service.start()
    try:
        yield service
    except BaseException:
        if service.process is not None:
            service.kill()
        raise
    if service.process is not None and (code := service.stop()) != 0:
        raise service.failed(f"exited with {code}")


class Serve(Protocol):
    """Starts a service with settings of the test's choice: `serve(TAIJITU_UPLOAD_WINDOW="1")`."""

    def __call__(self, **settings: str) -> Service: ...


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service with default settings, shared by the tests of a module: each makes its spaces."""
    with running(Service(tmp_path_factory.mktemp("service") / "data")) as service:
        yield service


@pytest.fixture
def serve(tmp_path: Path) -> Generator[Serve]:
    """A maker of services for one test, each on a folder of its own; all are stopped at the end."""
    with ExitStack() as stack:
        numbers = count()

        def start(**settings: str) -> Service:
            service = Service(tmp_path / f"data-{next(numbers)}", settings)
            return stack.enter_context(running(service))

        yield start
