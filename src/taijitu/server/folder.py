"""The data folder: one process owns it at a time, and small files in it are written whole.

Law: whoever opens the database or the bytes in the folder holds its lock. The lock is the kernel's
(`flock`), so it ends with the process, however that ends; the file itself stays.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

from taijitu.server.trouble import CannotStart

LOCK: Final = "taijitu.lock"
SOCKET: Final = "taijitu.sock"
UNFINISHED: Final = "restoring"
"""Is there while a backup is being restored; what it stands beside is not whole."""
PID_SIZE_MAX: Final = 32
"""Bytes of the lock file that are read, to say who holds it."""


class FolderInUse(CannotStart):
    """Another process owns the data folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{folder} is in use by {who}. One service at a time can own a data folder: stop that "
            "one, or set TAIJITU_DATA to another folder"
        )
        self.pid = pid


class FolderLock:
    """Ownership of a data folder, until `release`. Also a context manager."""

    def __init__(self, folder: Path, fd: int) -> None:
        self.folder = folder
        self.fd: int | None = fd

    def release(self) -> None:
        """Give the folder up. Doing so twice is no error."""
        if self.fd is not None:
            fd, self.fd = self.fd, None
            os.close(fd)

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


def take(folder: Path) -> FolderLock:
    """Make the folder if need be (mode 0700) and own it. Raises `FolderInUse`, `CannotStart`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as why:
        raise CannotStart(f"the data folder {folder} cannot be used: {why.strerror}") from why
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pid = pid_in(fd)
        os.close(fd)
        raise FolderInUse(folder, pid) from None
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    except OSError as why:
        os.close(fd)
        raise CannotStart(f"{folder / LOCK} cannot be written: {why.strerror}") from None
    return FolderLock(folder, fd)


def insist_on_whole(folder: Path) -> None:
    """Raises `CannotStart` for a folder into which a backup was not wholly restored."""
    if (folder / UNFINISHED).exists():
        raise CannotStart(
            f"a backup was being restored into {folder}, and that was cut short: empty the folder, "
            "and restore it again"
        )


def pid_in(fd: int) -> int | None:
    """The process that wrote itself down in a lock file."""
    text = os.pread(fd, PID_SIZE_MAX, 0).strip()
    return int(text) if text.isdigit() else None


def write_whole(path: Path, data: bytes) -> None:
    """Write a small private file (mode 0600) so that, after any crash, it is all there or not."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
