"""A backup: everything an installation is, in a folder, as of one moment of its database.

Bytes are gathered first, then the database is copied, then the bytes that came in between. So all
that the copy calls stored was there when it was copied, and nobody has to wait: an object that was
swept before it could be gathered is one that the next copy of the database no longer knows, so the
database is copied again. Objects never change, so where it can be an object is a hard link.

Law: `backup.json` is written last. A folder without it is no backup.
"""

import asyncio
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Literal

import msgspec

from taijitu import __version__
from taijitu.buckets.disk import listing
from taijitu.buckets.names import digest_of
from taijitu.engine.cell import read_head
from taijitu.ipld import multibase
from taijitu.kernel.failures import Fault
from taijitu.kernel.record import Record
from taijitu.machines import MACHINES
from taijitu.machines.entry import Stored
from taijitu.server import identity
from taijitu.server.config import Config
from taijitu.server.folder import sync, write_whole
from taijitu.server.installation import bucket_folder, sqlite_file
from taijitu.server.trouble import CannotStart
from taijitu.storage.sqlite import SqliteStorage
from taijitu.storage.sqlite_copy import copy_file
from taijitu.storage.sqlite_file import Unusable
from taijitu.ucan.signer import Signer

MANIFEST: Final = "backup.json"
DATABASE: Final = "taijitu.db"
BYTES: Final = "blobs"
FORMAT: Final = 1

ROUNDS_MAX: Final = 8
"""How often the database is copied at most, for bytes that went while they were gathered."""

PAGE: Final = 500
"""Entries that are read at once."""

Stage = Literal["bytes", "database", "entries", "done", "failed"]


class CannotBackUp(Exception):
    """The backup, or what is to become of it, cannot be made. The sentence says why."""


class Manifest(Record):
    """What a backup holds. `bytes` is the size of all objects together; `lost` are the digests
    (hex) of objects that the database calls stored and the bucket does not have."""

    format: int
    version: str
    made_at: int
    did: str
    key: str
    has_key: bool
    objects: int
    bytes: int
    entries: int
    lost: tuple[str, ...] = ()


class Status:
    """How far long work has come: `done` of `total` in this stage; at the end what came of it, or
    why nothing did. Written by one thread, read by another."""

    def __init__(self) -> None:
        self.stage: Stage = "bytes"
        self.done = 0
        self.total = 0
        self.manifest: Manifest | None = None
        self.trouble = ""

    def enter(self, stage: Stage, total: int = 0) -> None:
        self.stage, self.done, self.total = stage, 0, total

    def progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    @property
    def is_over(self) -> bool:
        return self.stage in ("done", "failed")

    def told(self) -> dict[str, object]:
        """As plain data."""
        manifest = msgspec.to_builtins(self.manifest)
        return {
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
            "manifest": manifest,
            "trouble": self.trouble,
        }


def start(work: Callable[[Status], Manifest]) -> Status:
    """Do long work in a thread of its own. It dies with the process: work that is cut short has
    left no manifest."""
    status = Status()

    def run() -> None:
        try:
            status.manifest = work(status)
            status.enter("done")
        except (CannotBackUp, CannotStart, Fault, Unusable) as why:
            status.trouble = str(why)
            status.enter("failed")
        except OSError as why:
            status.trouble = f"{why.filename or 'a file'}: {why.strerror or why}"
            status.enter("failed")
        except Exception as why:
            status.trouble = f"something unexpected happened: {why!r}"
            status.enter("failed")
            raise

    threading.Thread(target=run, name="taijitu-backup", daemon=True).start()
    return status


def back_up(config: Config, signer: Signer, target: Path, status: Status) -> Manifest:
    """Make a backup of an installation, whose data folder this process owns, in an empty folder or
    a new one. Blocks. Raises `CannotBackUp`, `Fault`, `OSError`; then nothing is left."""
    check_target(config, target)
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        gathered = Gathered(bucket_folder(config), target / BYTES)
        gathered.add(gathered.everything(), status)
        entries, lost = consistent(sqlite_file(config), target / DATABASE, gathered, status)
        gathered.sync()
        write_whole(target / identity.DID, f"{config.did}\n".encode())
        if config.key is None:
            write_whole(target / identity.KEY, f"{signer.format()}\n".encode())
        for name in (identity.PAST, *([identity.URL_SECRET] if config.key is None else [])):
            if (config.data / name).exists():
                write_whole(target / name, (config.data / name).read_bytes())
        manifest = Manifest(
            format=FORMAT,
            version=__version__,
            made_at=time.time_ns() // 1_000_000,
            did=config.did,
            key=signer.key_did,
            has_key=config.key is None,
            objects=len(gathered.sizes),
            bytes=sum(gathered.sizes.values()),
            entries=entries,
            lost=tuple(digest.hex() for digest in sorted(lost)),
        )
        write_whole(target / MANIFEST, msgspec.json.encode(manifest) + b"\n")
    except BaseException:
        empty(target)
        raise
    return manifest


def check_target(config: Config, target: Path) -> None:
    """Raises `CannotBackUp` for a place where no backup should be."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CannotBackUp(f"{target} is not empty: a backup wants an empty folder, or a new one")
    if target.resolve().is_relative_to(config.data.resolve()):
        raise CannotBackUp(f"{target} is in the data folder, and would be lost with it")


def consistent(
    database: Path, copy: Path, gathered: "Gathered", status: Status
) -> tuple[int, set[bytes]]:
    """Copy the database, and gather what it calls stored. Answers how many entries are stored,
    and the digests of those whose bytes are not to be had."""
    missing: set[bytes] = set()
    for _ in range(ROUNDS_MAX):
        missing_before = missing
        copy.unlink(missing_ok=True)
        status.enter("database")
        copy_file(database, copy, status.progress)
        copy.chmod(0o600)
        status.enter("entries")
        sizes, entries = asyncio.run(stored_in(copy, status))
        missing = gathered.add(sizes.keys() - gathered.sizes.keys(), status)
        if missing <= missing_before:  # what was stored then and now, and never there, is lost
            sync_file(copy)
            return entries, missing
    raise CannotBackUp("objects come and go faster than they can be gathered. Try again later")


async def stored_in(database: Path, status: Status) -> tuple[dict[bytes, int], int]:
    """What a database calls stored: sizes by digest, and how many entries."""
    storage = SqliteStorage.open(database)
    sizes: dict[bytes, int] = {}
    after, entries = "", 0
    try:
        while rows := await storage.scan("entry/", after=after, limit=PAGE):
            for row in rows:
                head, _ = read_head(MACHINES, row)
                if isinstance(head.state, Stored):
                    attempt = head.state.attempt
                    sizes[digest_of(multibase.decode(attempt.multihash))] = attempt.size
                    entries += 1
            after = rows[-1].path
            status.done = entries
    finally:
        await storage.close()
    return sizes, entries


class Gathered:
    """The objects of a bucket's folder that are in another one as well: sizes by digest."""

    def __init__(self, source: Path, target: Path) -> None:
        self.source = source
        self.target = target
        self.sizes: dict[bytes, int] = {}

    def everything(self) -> list[bytes]:
        """The digest of every object that is in the bucket."""
        folders = (self.source / f"{first:02x}" for first in range(256))
        return [
            digest_of(multihash)
            for folder in folders
            if folder.is_dir()
            for multihash, _ in listing(folder)
        ]

    def add(self, digests: Iterable[bytes], status: Status) -> set[bytes]:
        """Bring objects over. Answers those that were not there."""
        wanted = list(digests)
        status.enter("bytes", len(wanted))
        missing: set[bytes] = set()
        for digest in wanted:
            try:
                self.sizes[digest] = bring(place(self.source, digest), place(self.target, digest))
            except FileNotFoundError:
                missing.add(digest)
            status.done += 1
        return missing

    def sync(self) -> None:
        """Make the names durable."""
        self.target.mkdir(mode=0o700, exist_ok=True)
        for folder in self.target.iterdir():
            sync(folder)
        sync(self.target)


def place(root: Path, digest: bytes) -> Path:
    """Where an object lies in a folder of objects."""
    name = digest.hex()
    return root / name[:2] / name


def bring(source: Path, target: Path) -> int:
    """Give an object a second name, or copy it where that cannot be. Answers its size in bytes."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)
        sync_file(target)
    return target.stat().st_size


def sync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def empty(folder: Path) -> None:
    """Remove everything that is in a folder."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
