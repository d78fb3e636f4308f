"""`taijitu put`: store files and folders, or a CAR as it is."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from taijitu.cli import words
from taijitu.cli.asking import FileOrDash, Who, Whom, run
from taijitu.cli.bar import bars, progress_of
from taijitu.cli.piped import piped
from taijitu.cli.trouble import Misuse

if TYPE_CHECKING:
    from taijitu.client import Client, Link, Put
    from taijitu.client.sending import Told

STDIN: Final = Path("-")

HEADER_SIZE: Final = 16
"""Bytes in which a CAR shows that it is one."""

ROOTS_SIZE: Final = 1024
"""Bytes in which it has named its root, if it is just one."""

URL_TIME: Final = 5.0
"""Seconds that a gateway may take to say whether it has what was just stored."""


def put(
    *paths: FileOrDash,
    car: bool = False,
    unpack: bool = False,
    hidden: bool = False,
    resume: bool = False,
    who: Who | None = None,
    whom: Whom | None = None,
    json: bool = False,
) -> None:
    """Store files and folders, and print their CID once the service says that they are stored.

    A file alone is the file itself, a folder what is in it; several of them become a folder. A file
    that ends in `.car` is stored as the CAR it is, under its own link, and nothing is noted of it:
    --unpack notes what is in it under its root; name it with another file, or give it another name,
    to have it packed like any other.

    What fails on the way is tried again, and what is stored already is not sent again: after a
    crash, say the same again.

    Parameters
    ----------
    paths
        Files and folders, or - for a file from standard input.
    car
        It is a CAR, whatever it is called: store it as it is.
    unpack
        It is a CAR, whatever it is called: store the blocks in it, and note them as an upload of
        its (first) root, whose CID is printed.
    hidden
        Take in what begins with a dot, in folders. Links are never followed.
    resume
        Go on with what was broken off, and tell how much of it was there. (It is done anyway.)
    json
        Print JSON: {"cid", "url", "shards", "index", "size", "stored", "sent", "space"}, sizes in
        bytes; for a CAR as it is: {"link", "url", "size", "space", "allocated", "sent"}, where
        "url" is that of its root, or null.
    """
    if not paths:
        raise Misuse("which? Name files and folders, or - for standard input")
    first, *more = paths
    if STDIN in paths and more:
        raise Misuse("- stands alone: standard input is one file")
    if car and unpack:
        raise Misuse("a CAR is stored as it is, or unpacked: --car or --unpack")
    if (car or unpack) and more:
        raise Misuse(f"with {'--car' if car else '--unpack'}, one file at a time")
    who, whom = who or Who(), whom or Whom()
    if unpack:
        put_files(Unpacked(first), resume, (who, whom), json)
    elif car or (not more and first.suffix == ".car" and not first.is_dir()):
        put_car(first, who, whom, json)
    else:
        put_files(Packed(paths, hidden), resume, (who, whom), json)


class Packed(NamedTuple):
    """Files and folders, to be packed."""

    paths: tuple[Path, ...]
    hidden: bool

    async def store(self, client: "Client", told: "Told") -> "Put":
        source = piped() if self.paths == (STDIN,) else list(self.paths)
        return await client.put(source, hidden=self.hidden, progress=told)

    def query(self) -> str:
        """What names a file that stands alone."""
        first, *more = self.paths
        if more or first == STDIN or not first.is_file():
            return ""
        return f"?filename={quote(words.text(first.name), safe='')}"


class Unpacked(NamedTuple):
    """A CAR with files and folders that were packed before."""

    file: Path

    async def store(self, client: "Client", told: "Told") -> "Put":
        source = piped() if self.file == STDIN else self.file
        return await client.put_car(source, progress=told)

    def query(self) -> str:
        return ""


def put_files(what: Packed | Unpacked, resume: bool, asking: tuple[Who, Whom], json: bool) -> None:
    async def store(client: "Client") -> None:
        with bars(quiet=json) as shown:
            made = await what.store(client, progress_of(shown))
        space = client.space.did
        if not json:
            told = f"stored: {words.size(made.size)} in {space}{known(made, resume)}"
            print(told, file=sys.stderr)
            print(made.root, flush=True)
        url = await url_of(client, made.root)
        if url is not None:
            url += await asyncio.to_thread(what.query)
        if json:
            words.print_json(as_json(made, space, url))
        elif url is not None:
            print(f"opens at {url}", file=sys.stderr)

    run(store, asking[1], asking[0])


def as_json(made: "Put", space: str, url: str | None) -> dict[str, object]:
    return {
        "cid": str(made.root),
        "url": url,
        "shards": [str(shard) for shard in made.shards],
        "index": str(made.index),
        "size": made.size,
        "stored": made.stored,
        "sent": made.sent,
        "space": space,
    }


def known(made: "Put", resume: bool) -> str:
    """What was there already, in words."""
    if made.sent == 0:
        return ", and the service had the bytes already"
    there = made.stored - made.sent
    return f"; {words.size(there)} were there already" if there or resume else ""


async def url_of(client: "Client", root: "Link") -> str | None:
    """Where it opens in a browser; None where the service has no gateway, or none that answers
    soon: all is stored by now, and nobody wants to wait for that."""
    from taijitu.client import ClientError

    try:
        async with asyncio.timeout(URL_TIME):
            here = await client.contents.is_here(root)
    except (ClientError, TimeoutError):
        return None
    return f"{client.url}/ipfs/{root}" if here else None


def put_car(file: Path, who: Who, whom: Whom, json: bool) -> None:
    """Store a CAR as it is, under its own link."""

    async def store(client: "Client") -> None:
        space = client.space
        size = None if file == STDIN else size_of(file)
        with bars(quiet=json) as shown:
            added = await space.store.add(
                piped() if file == STDIN else file,
                hashing=shown.add("hashing", size),
                sending=shown.add("sending", size),
            )
        if not json:
            had = "" if added.sent else ", and the service had the bytes already"
            print(f"stored: {words.size(added.size)} in {space.did}{had}", file=sys.stderr)
            print(added.link, flush=True)
        root = await asyncio.to_thread(root_of, file)
        url = None if root is None else await url_of(client, root)
        if json:
            told = {"link": str(added.link), "url": url, "size": added.size, "space": space.did}
            words.print_json({**told, "allocated": added.allocated, "sent": added.sent})
        elif url is not None:
            print(f"opens at {url}", file=sys.stderr)

    warn_of(file)
    run(store, whom, who)


def size_of(file: Path) -> int | None:
    """Bytes, if they can be told; whether it can be read is found out by reading it."""
    try:
        return file.stat().st_size
    except OSError:
        return None


def root_of(file: Path) -> "Link | None":
    """The root that a CAR names, if it is just one."""
    from taijitu.ipld.car import CarError
    from taijitu.ipld.carstream import CarStream

    if file == STDIN:
        return None
    stream = CarStream()
    try:
        with file.open("rb") as opened:
            stream.feed(opened.read(ROOTS_SIZE))
        roots = stream.roots()
    except (OSError, CarError):
        return None
    return roots[0] if roots and len(roots) == 1 else None


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
