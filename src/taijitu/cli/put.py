"""`taijitu put`: store files and folders, or a CAR as it is."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from taijitu.cli import words
from taijitu.cli.asking import FileOrDash, Who, Whom, run
from taijitu.cli.bar import bars, progress_of
from taijitu.cli.trouble import Misuse

if TYPE_CHECKING:
    from taijitu.client import Added, Client, Put

STDIN: Final = Path("-")

CHUNK: Final = 1024 * 1024
"""Bytes that are read at once from standard input."""

HEADER_SIZE: Final = 16
"""Bytes in which a CAR shows that it is one."""


def put(
    *paths: FileOrDash,
    car: bool = False,
    hidden: bool = False,
    resume: bool = False,
    who: Who | None = None,
    whom: Whom | None = None,
    json: bool = False,
) -> None:
    """Store files and folders, and print their CID once the service says that they are stored.

    A file alone is the file itself, a folder what is in it; several of them become a folder. A file
    that ends in `.car` is stored as the CAR it is, under its own link, and nothing is noted of it:
    name it with another file, or give it another name, to have it packed like any other.

    What fails on the way is tried again, and what is stored already is not sent again: after a
    crash, say the same again.

    Parameters
    ----------
    paths
        Files and folders, or - for a file from standard input.
    car
        It is a CAR, whatever it is called: store it as it is.
    hidden
        Take in what begins with a dot, in folders. Links are never followed.
    resume
        Go on with what was broken off, and tell how much of it was there. (It is done anyway.)
    json
        Print JSON: {"cid", "url", "shards", "index", "size", "stored", "sent", "space"}, sizes in
        bytes; for a CAR: {"link", "size", "space", "allocated", "sent"}.
    """
    if not paths:
        raise Misuse("which? Name files and folders, or - for standard input")
    first, *more = paths
    if STDIN in paths and more:
        raise Misuse("- stands alone: standard input is one file")
    if car and more:
        raise Misuse("with --car, one file at a time")
    if car or (not more and first.suffix == ".car" and not first.is_dir()):
        put_car(first, who or Who(), whom or Whom(), json)
    else:
        put_files(paths, hidden, resume, (who or Who(), whom or Whom()), json)


def put_files(
    paths: tuple[Path, ...], hidden: bool, resume: bool, asking: tuple[Who, Whom], json: bool
) -> None:
    who, whom = asking

    async def store(client: "Client") -> "tuple[Put, str, str | None]":
        space = client.space
        source = piped() if paths == (STDIN,) else list(paths)
        with bars(quiet=json) as shown:
            made = await space.put(source, hidden=hidden, progress=progress_of(shown))
        return made, space.did, await url_of(client, made, paths)

    made, space, url = run(store, whom, who)
    if json:
        words.print_json(
            {
                "cid": str(made.root),
                "url": url,
                "shards": [str(shard) for shard in made.shards],
                "index": str(made.index),
                "size": made.size,
                "stored": made.stored,
                "sent": made.sent,
                "space": space,
            }
        )
        return
    print(f"stored: {words.size(made.size)} in {space}{known(made, resume)}", file=sys.stderr)
    if url is not None:
        print(f"opens at {url}", file=sys.stderr)
    print(made.root)


def known(made: "Put", resume: bool) -> str:
    """What was there already, in words."""
    if made.sent == 0:
        return ", and the service had the bytes already"
    there = made.stored - made.sent
    return f"; {words.size(there)} were there already" if there or resume else ""


async def url_of(client: "Client", made: "Put", paths: tuple[Path, ...]) -> str | None:
    """Where it opens in a browser; None where the service has no gateway."""
    from taijitu.client import ClientError

    url = f"{client.url}/ipfs/{made.root}"
    try:
        if not await client.contents.is_here(made.root):
            return None
    except ClientError:
        return None
    alone = len(paths) == 1 and paths[0] != STDIN and await asyncio.to_thread(paths[0].is_file)
    return f"{url}?filename={quote(paths[0].name, safe='')}" if alone else url


def put_car(file: Path, who: Who, whom: Whom, json: bool) -> None:
    """Store a CAR as it is, under its own link."""

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
    added, space = run(store, whom, who)
    if json:
        told = {"link": str(added.link), "size": added.size, "space": space}
        words.print_json({**told, "allocated": added.allocated, "sent": added.sent})
        return
    had = "" if added.sent else ", and the service had the bytes already"
    print(f"stored: {words.size(added.size)} in {space}{had}", file=sys.stderr)
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
