"""Services by the dozen, for the upstream suites: each is a process of its own, forked from one
that has imported everything already, so that it is there in a tenth of the time.

Each line of standard input is a request in JSON, and each gets its answer, in order:
`{"start": {"folder": …, "settings": {…}}}` → `{"pid": …}`, and `{"stop": pid}` → `{"code": …}`.
The folder becomes the current one and gets the output, as `log`. When the input ends, so do all.
"""

import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from taijitu.cli import main

IMPORTED = ("uvloop", "taijitu.cli.serve", "taijitu.server.logs", "taijitu.server.service")
"""What `taijitu serve` imports when it is asked to serve."""


def start(folder: str, settings: dict[str, str]) -> int:
    """The id of a new process that serves."""
    if pid := os.fork():
        return pid
    os.chdir(folder)
    os.environ.update(settings)
    output = os.open(Path(folder, "log"), os.O_WRONLY | os.O_CREAT)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for theirs, ours in ((nowhere, 0), (output, 1), (output, 2)):
        os.dup2(theirs, ours)
    code = 1
    try:
        code = main(["serve"])
    finally:
        sys.stdout.flush()
        os._exit(code)


def stop(pid: int) -> int:
    """The exit code of a service that is told to end."""
    os.kill(pid, signal.SIGTERM)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def serve_requests() -> None:
    """Until the input ends."""
    for name in IMPORTED:
        import_module(name)
    running: set[int] = set()
    try:
        for line in sys.stdin:
            request: dict[str, Any] = json.loads(line)
            if "start" in request:
                pid = start(**request["start"])
                running.add(pid)
                answer = {"pid": pid}
            else:
                running.discard(request["stop"])
                answer = {"code": stop(request["stop"])}
            print(json.dumps(answer), flush=True)
    finally:
        for pid in running:
            stop(pid)


if __name__ == "__main__":
    serve_requests()
