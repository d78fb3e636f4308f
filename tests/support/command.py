"""The command line, as a process of its own, in the environment of a service."""

import os
import subprocess
import sys
from typing import NamedTuple

from support.service import Service
from taijitu.ucan.signer import Signer

SECONDS_MAX = 60
"""A command may take no longer, on a slow machine."""


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def taijitu(service: Service, *arguments: str, **settings: str) -> Ended:
    """A command in the environment of a service."""
    environment = service.environment() | settings
    done = subprocess.run(
        [sys.executable, "-m", "taijitu", *arguments],
        env={name: value for name, value in environment.items() if value},
        cwd=service.data.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def new_did() -> str:
    return Signer.from_seed(os.urandom(32)).did
