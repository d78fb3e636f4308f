"""A real service in a process of its own, on a temporary folder, measured from outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from bench.load import Plan
from bench.report import Run

TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS_MAX = 30


class Service:
    def __init__(self, process: subprocess.Popen[bytes], url: str, data: Path) -> None:
        self.process = process
        self.url = url
        self.data = data

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mib(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def load(self, plan: Plan) -> Run:
        """Send a load from another process; what it did, and what it cost the service."""
        before = self.cpu_seconds()
        done = subprocess.run(
            [sys.executable, "-m", "bench.load", self.url],
            input=json.dumps(asdict(plan)).encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
        answer = json.loads(done.stdout)
        return Run(cpu_seconds=self.cpu_seconds() - before, **answer)


@contextmanager
def running(**settings: str) -> Iterator[Service]:
    """A service with a data folder of its own, or with the one that the settings name."""
    with ExitStack() as stack:
        folder = settings.get("TAIJITU_DATA") or stack.enter_context(
            tempfile.TemporaryDirectory(prefix="taijitu-bench-")
        )
        port = free_port()
        environ = {
            **os.environ,
            "TAIJITU_DATA": folder,
            "TAIJITU_PORT": str(port),
            "TAIJITU_LOG": "json",
            "TAIJITU_SPACE_CAPACITY": "1TiB",
            **settings,
        }
        with Path(folder, "log").open("wb") as log:
            command = [sys.executable, "-m", "taijitu", "serve"]
            process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        try:
            url = f"http://localhost:{port}"
            wait_for(url, process)
            yield Service(process, url, Path(folder))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/health").close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError("the service did not start")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
