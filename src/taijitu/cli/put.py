"""`taijitu put`: store a CAR."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from taijitu.cli import words
from taijitu.cli.asking import FileOrDash, Who, Whom, run
from taijitu.cli.bar import bars

if TYPE_CHECKING:
    from taijitu.client import Added, Client

STDIN: Final = Path("-")

CHUNK: Final = 256 * 1024
"""Bytes that are read at once from standard input."""

HEADER_SIZE: Final = 16
"""Bytes in which a CAR shows that it is one."""


def put(
    file: FileOrDash,
    /,
    *,
    who: Who | None = None,
    whom: Whom | None = None,
    json: bool = False,
) -> None:
    """Store a CAR, and print its link once the service says that it is stored.

    What fails on the way is tried again; nothing is stored twice.

    Parameters
    ----------
    file
        The CAR, or - for standard input.
    json
        Print JSON: {"link", "size", "space", "allocated", "sent"}, sizes in bytes.
    """
    who = who or Who()

    async def store(client: "Client") -> "tuple[Added, str]":
        space = client.space
        size = None if file == STDIN else size_of(file)
        with bars(quiet=json) as shown:
            added = await space.store.add(
                piped() if file == STDIN else file,
                hashing=shown.add("hashing", size),
                sending=shown.add("sending", size),
            )
        return added, space.did

    warn_of(file)
    added, space = run(store, whom or Whom(), who)
    if json:
        told = {"link": str(added.link), "size": added.size, "space": space}
        words.print_json({**told, "allocated": added.allocated, "sent": added.sent})
        return
    known = "" if added.sent else ", and the service had the bytes already"
    print(f"stored: {words.size(added.size)} in {space}{known}", file=sys.stderr)
    print(added.link)


async def piped() -> AsyncGenerator[bytes]:
    """Standard input, piece by piece."""
    while chunk := await asyncio.to_thread(sys.stdin.buffer.read, CHUNK):
        yield chunk


def size_of(file: Path) -> int | None:
    """Bytes, if they can be told; whether it can be read is found out by reading it."""
    try:
        return file.stat().st_size
    except OSError:
        return None


def warn_of(file: Path) -> None:
    """Say so if a file is no CAR: it can be stored, and clients that expect one are puzzled."""
    from taijitu.client.proofs import is_car

    if file == STDIN or not file.is_file():
        return
    try:
        with file.open("rb") as opened:
            head = opened.read(HEADER_SIZE)
    except OSError:
        return
    if head and not is_car(head):
        print(f"warning: {file} is not a CAR; it is stored as it is", file=sys.stderr)
