"""What is known of a command once it has ended."""

from collections.abc import Callable
from typing import NamedTuple


class Ended(NamedTuple):
    """Its exit code, and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
"""Runs the command line in process: `run("key", "new")`."""
