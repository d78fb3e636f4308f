"""What becomes of a backup: an installation again, with every object checked against its name.

Law: a data folder is restored whole or not at all. Until it is whole a mark in it keeps the service
from starting; what fails takes back everything it had made.
"""

import asyncio
import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

import msgspec

from taijitu.buckets.disk import listing
from taijitu.buckets.names import digest_of
from taijitu.server import folder, identity
from taijitu.server.backup import (
    BYTES,
    DATABASE,
    FORMAT,
    MANIFEST,
    CannotBackUp,
    Manifest,
    Status,
    empty,
    place,
    stored_in,
    sync_file,
)
from taijitu.server.config import Config
from taijitu.server.installation import bucket_folder, sqlite_file
from taijitu.storage.sqlite_copy import ailments

CHUNK: Final = 1024 * 1024
"""Bytes that are copied at once."""

IGNORED: Final = frozenset({folder.LOCK, "lost+found"})
"""What may be in a data folder that counts as empty."""


def manifest_of(source: Path) -> Manifest:
    """What a backup says of itself. Raises `CannotBackUp` for what is none."""
    try:
        manifest = msgspec.json.decode((source / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise CannotBackUp(
            f"{source} is no backup, or one that was not finished: there is no {MANIFEST} in it"
        ) from None
    except (OSError, msgspec.DecodeError) as why:
        raise CannotBackUp(f"{source / MANIFEST} cannot be read: {why}") from None
    if manifest.format > FORMAT:
        raise CannotBackUp(
            f"{source} was made by taijitu {manifest.version}, and is of a form that this version "
            "does not know"
        )
    return manifest


def restore(config: Config, source: Path, status: Status) -> Manifest:
    """Make a data folder of a backup, where there is none yet. Blocks. Raises `CannotBackUp`,
    `CannotStart`, `Fault`, `OSError`; then nothing is left of it."""
    manifest = manifest_of(source)
    database, bytes_root = sqlite_file(config), bucket_folder(config)
    for each in (config.data, bytes_root):
        insist_on_empty(each)
    if database.exists():
        raise CannotBackUp(f"there is a database already: {database}")
    with folder.take(config.data):
        mark = config.data / folder.UNFINISHED
        folder.write_whole(mark, b"")
        try:
            sizes = restore_bytes(source / BYTES, bytes_root, manifest, status)
            restore_database(source / DATABASE, database, sizes, manifest, status)
            for name in (identity.DID, identity.KEY, identity.PAST, identity.URL_SECRET):
                if (source / name).exists():
                    folder.write_whole(config.data / name, (source / name).read_bytes())
        except BaseException:
            for leftover in database.parent.glob(f"{database.name}*"):
                leftover.unlink()
            if bytes_root.is_dir():
                empty(bytes_root)
            empty(config.data)
            raise
        mark.unlink()
        folder.sync(config.data)
    return manifest


def insist_on_empty(path: Path) -> None:
    """Raises `CannotBackUp` for a folder with something in it."""
    if path.exists() and (not path.is_dir() or {each.name for each in path.iterdir()} - IGNORED):
        raise CannotBackUp(
            f"{path} is not empty. A backup is restored into a new folder: set TAIJITU_DATA to "
            "one, or move this one away"
        )


def restore_bytes(
    source: Path, target: Path, manifest: Manifest, status: Status
) -> dict[bytes, int]:
    """Copy every object and check it on the way. Answers their sizes, by digest."""
    status.enter("bytes", manifest.objects)
    sizes: dict[bytes, int] = {}
    folders = sorted(source.iterdir()) if source.is_dir() else []
    for part in folders:
        (target / part.name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for multihash, size in listing(part):
            digest = digest_of(multihash)
            copy_checked(place(source, digest), place(target, digest), digest)
            sizes[digest] = size
            status.done += 1
        folder.sync(target / part.name)
    if len(sizes) != manifest.objects:
        raise CannotBackUp(
            f"the backup is damaged: it should hold {manifest.objects} objects, and holds "
            f"{len(sizes)}"
        )
    return sizes


def copy_checked(source: Path, target: Path, digest: bytes) -> None:
    """Copy an object. Raises `CannotBackUp` if its bytes are not those that its name says."""
    hashing = hashlib.sha256()
    with source.open("rb") as reading, target.open("xb") as writing:
        while chunk := reading.read(CHUNK):
            hashing.update(chunk)
            writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    target.chmod(0o600)
    if hashing.digest() != digest:
        raise CannotBackUp(
            f"the backup is damaged: the bytes of {source} are not those that its name says"
        )


def restore_database(
    source: Path, target: Path, sizes: dict[bytes, int], manifest: Manifest, status: Status
) -> None:
    """Copy the database, and hold it against the objects."""
    if not source.is_file():
        raise CannotBackUp(f"the backup is damaged: there is no {source}")
    status.enter("database")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o600)
    sync_file(target)
    if damages := ailments(target):
        raise CannotBackUp(f"the backup is damaged: its database has {damages[0]}")
    status.enter("entries")
    stored, entries = asyncio.run(stored_in(target, status))
    if entries != manifest.entries:
        raise CannotBackUp(
            f"the backup is damaged: its database should hold {manifest.entries} entries, and "
            f"holds {entries}"
        )
    for digest in stored.keys() - {bytes.fromhex(text) for text in manifest.lost}:
        if sizes.get(digest) != stored[digest]:
            raise CannotBackUp(
                f"the backup is damaged: the database calls {digest.hex()} stored, with "
                f"{stored[digest]} bytes, and they are not there"
            )
