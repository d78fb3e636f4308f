"""A data folder with many entries in it, made without HTTP and without signatures, which would take
most of the time.

python -m bench.filling FIRST LAST WAITING

Entries FIRST to LAST - 1 are added to the space of `space()`; those below WAITING wait for their
bytes, the others are stored. The process ends by killing itself: nothing is put in order first.
"""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping

from taijitu.engine.engine import Concluded, Engine
from taijitu.ipld import multibase
from taijitu.ipld.cid import link_to, multihash
from taijitu.machines.entry import Add, entry_at
from taijitu.machines.ledger import Provision, ledger_at
from taijitu.server import config
from taijitu.server.installation import opened
from taijitu.ucan.signer import Signer

SEED = b"the space that benchmarks fill. "
"""Of the space's key: 32 bytes."""
CAPACITY = 2**40
AT_ONCE = 512
"""Entries that are added together."""
LATE = 20
"""Entries whose bytes came unnoticed."""
RECEIPT_SIZE = 500
"""Bytes, as a receipt has them."""


def space() -> Signer:
    return Signer.from_seed(SEED)


def fill(environ: Mapping[str, str], numbers: range, waiting: int) -> None:
    """Fill the data folder that the settings in `environ` name, in a process of its own."""
    given = [str(each) for each in (numbers.start, numbers.stop, waiting)]
    command = [sys.executable, "-m", "bench.filling", *given]
    filled = subprocess.run(command, env=environ, check=False)
    assert filled.returncode == -signal.SIGKILL, filled.returncode


async def filled(numbers: range, waiting: int) -> None:
    """Add the entries, and end without a chance to put anything in order."""
    async with opened(config.load().config) as installation:
        engine, bucket, did = installation.engine, installation.bucket, space().did
        await engine.transact(ledger_at(did), Provision(engine.now(), did, CAPACITY))
        for start in range(numbers.start, numbers.stop, AT_ONCE):
            several = range(start, min(numbers.stop, start + AT_ONCE))
            for number in several:
                if number >= waiting:
                    bucket.place_of(digest(number)).write_bytes(content(number))
            await asyncio.gather(*(add(engine, did, number) for number in several))
        for number in late(waiting):
            bucket.place_of(digest(number)).write_bytes(content(number))
        os.kill(os.getpid(), signal.SIGKILL)


async def add(engine: Engine, did: str, number: int) -> None:
    name, now = name_of(number), engine.now()
    cause = link_to(b"add %d" % number)
    message = Add(now, cause, did, name, "did:key:zAgent", len(content(number)))
    await engine.transact(
        entry_at(did, name),
        message,
        cause=cause,
        conclude=lambda *_: Concluded(bytes(RECEIPT_SIZE)),
    )


def content(number: int) -> bytes:
    return b"entry %d" % number


def digest(number: int) -> bytes:
    return hashlib.sha256(content(number)).digest()


def name_of(number: int) -> str:
    return multibase.encode("z", multihash(content(number)))


def late(waiting: int) -> range:
    return range(min(LATE, waiting))


if __name__ == "__main__":
    first, last, wait = map(int, sys.argv[1:])
    asyncio.run(filled(range(first, last), wait))
