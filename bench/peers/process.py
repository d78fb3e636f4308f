"""A server for the time of one measurement: a process of its own, ended by its id."""

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

STOP_SECONDS_MAX = 30


@contextmanager
def process(
    command: Sequence[object], log: Path, settings: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Asked to end at the end, and killed if it takes longer than `STOP_SECONDS_MAX`."""
    with log.open("wb") as file:
        arguments = [str(each) for each in command]
        environ = {**os.environ, **settings}
        started = subprocess.Popen(
            arguments,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def free_ports(count: int) -> list[int]:
    """As many, no two the same."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
