"""A disk whose power can fail at any moment, as a way to the disk (VFS) for SQLite.

It passes everything on to real files, and keeps beside them what each of them would be after a loss
of power: what was synced, and of what was written since an arbitrary part, in sectors. A write that
came later may have got there when an earlier one did not; a file made or deleted may be there or
not until its folder was synced.

Law: nothing is assumed to be durable but what SQLite has synced, as it does by its own rules.
"""

import random
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import apsw

SECTOR: Final = 512
"""Bytes that a disk writes whole or not at all."""

LOGS: Final = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL
"""Files that SQLite, if it may make them when it opens them, syncs together with their folder the
first time, so that they can be found, and what was deleted before them cannot."""


class Kept:
    """One file, as it would be after a loss of power."""

    def __init__(self, data: bytes = b"", *, found: bool = False) -> None:
        self.durable = bytearray(data)
        self.pending: list[tuple[int, bytes] | int] = []
        """Since the last sync, in order: what was written where, or the size it was cut to."""
        self.found = found
        """Its name is durable."""
        self.deleted = False
        """It was deleted, which may not be durable."""

    def sync(self) -> None:
        for change in self.pending:
            apply(self.durable, change)
        self.pending.clear()

    def left(self, chance: random.Random, share: float) -> bytes:
        """What is found after a loss of power that let through a share of what was pending."""
        data = bytearray(self.durable)
        for change in self.pending:
            for part in sectors(change):
                if chance.random() < share:
                    apply(data, part)
        return bytes(data)


class Disk(apsw.VFS):
    """A way to the files in one folder. `watch` is called before whatever changes one of them."""

    def __init__(self, folder: Path) -> None:
        self.below = "unix"
        self.name = f"a disk without power below {folder}"
        super().__init__(self.name, self.below)
        self.lock = threading.Lock()
        self.watch: Callable[[], None] = lambda: None
        self.files = {path.name: Kept(path.read_bytes(), found=True) for path in folder.iterdir()}

    def xOpen(self, name: Any, flags: list[int]) -> "File":
        return File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.watch()
        with self.lock:
            if (kept := self.files.get(Path(filename).name)) is not None:
                kept.deleted = True
            if syncdir:
                self.sync_folder()
        super().xDelete(filename, syncdir)

    def file(self, name: str) -> Kept:
        """The file of that name, which is made if it is not there."""
        with self.lock:
            kept = self.files.get(name)
            if kept is None or kept.deleted:
                kept = self.files[name] = Kept()
            return kept

    def sync_folder(self) -> None:
        self.files = {name: kept for name, kept in self.files.items() if not kept.deleted}
        for kept in self.files.values():
            kept.found = True

    def lose_power(self, folder: Path, chance: random.Random) -> None:
        """Write down, in an empty folder, what would be found afterwards."""
        with self.lock:
            share = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
            for name, kept in self.files.items():
                certain = kept.found and not kept.deleted
                if certain or chance.random() < 0.5:
                    (folder / name).write_bytes(kept.left(chance, share))


class File(apsw.VFSFile):
    """A file of SQLite that tells the disk what becomes of it."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self.disk = disk
        self.kept = disk.file(Path(path_of(name)).name) if name else Kept()
        self.syncs_folder = bool(flags[0] & LOGS and flags[0] & apsw.SQLITE_OPEN_CREATE)
        super().__init__(disk.below, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self.disk.watch()
        with self.disk.lock:
            self.kept.pending.append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self.disk.watch()
        with self.disk.lock:
            self.kept.pending.append(newsize)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        """The file below is not synced: no power fails there."""
        self.disk.watch()
        with self.disk.lock:
            self.kept.sync()
            if self.syncs_folder:
                self.disk.sync_folder()
                self.syncs_folder = False


def path_of(name: str | apsw.URIFilename) -> str:
    """SQLite names a main database in one way and its companions in another."""
    return name if isinstance(name, str) else name.filename()


def apply(data: bytearray, change: tuple[int, bytes] | int) -> None:
    """Do to a file what was done to it."""
    if isinstance(change, int):
        del data[change:]
        return
    offset, written = change
    data.extend(bytes(max(0, offset - len(data))))
    data[offset : offset + len(written)] = written


def sectors(change: tuple[int, bytes] | int) -> list[tuple[int, bytes] | int]:
    """A change, in the parts that may get there without each other."""
    if isinstance(change, int):
        return [change]
    offset, written = change
    end = offset + len(written)
    cuts = [offset, *range((offset // SECTOR + 1) * SECTOR, end, SECTOR), end]
    return [(start, written[start - offset : stop - offset]) for start, stop in pairwise(cuts)]
