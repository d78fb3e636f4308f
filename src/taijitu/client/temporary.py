"""Temporary files that have no name: gone with whoever had them open.

Law: where there is no room for them, that is said, and where they are.
"""

from collections.abc import Generator
from contextlib import contextmanager
from tempfile import TemporaryFile, gettempdir
from typing import BinaryIO, cast

from taijitu.client.failures import Unusable


def temporary(buffering: int = 0) -> BinaryIO:
    """A new one, unbuffered unless `buffering` bytes are given. Raises `Unusable`."""
    with writing():
        return cast("BinaryIO", TemporaryFile(buffering=buffering))


@contextmanager
def writing() -> Generator[None]:
    """Raises `Unusable` for what goes wrong with a temporary file."""
    try:
        yield
    except OSError as why:
        text = f"temporary files cannot be written{place()}: {why.strerror}"
        raise Unusable(f"{text}; TMPDIR says where they go") from None


def place() -> str:
    try:
        return f" in {gettempdir()}"
    except OSError:
        return ""
