"""Standard input, as it comes.

Law: nobody waits for it who does not want more of it. A pipe may be quiet for ever, and a thread
cannot be stopped that reads from one.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from threading import BoundedSemaphore, Thread
from typing import Final

from taijitu.cli.trouble import Refusal

CHUNK: Final = 1024 * 1024
"""Bytes that are read at once."""

AHEAD: Final = 2
"""How many times that is read before anybody asks for it."""


async def piped() -> AsyncGenerator[bytes]:
    """Standard input, piece by piece. Raises `Refusal` if it cannot be read."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes | OSError] = asyncio.Queue()
    room = BoundedSemaphore(AHEAD)

    def read() -> None:
        # Not `sys.stdin`: the interpreter wants that for itself when it ends.
        file = open(sys.stdin.fileno(), "rb", buffering=CHUNK, closefd=False)  # noqa: SIM115
        with suppress(RuntimeError):  # the loop is closed: nobody wants more
            piece: bytes | OSError = b"?"
            while isinstance(piece, bytes) and piece:
                room.acquire()
                try:
                    piece = file.read(CHUNK)
                except OSError as why:
                    piece = why
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

    Thread(target=read, name="standard input", daemon=True).start()
    while piece := await pieces.get():
        if isinstance(piece, OSError):
            raise Refusal(f"standard input cannot be read: {piece.strerror}")
        room.release()
        yield piece
