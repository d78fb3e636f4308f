"""Files on their way in and out: the half of the disk bucket that blocks.

Every step runs in a worker thread, under the file's own lock. So a step that comes late, after its
upload or download was given up, finds the file closed and does nothing: it neither writes into a
descriptor that now means another file nor leaves a temporary file behind.
"""

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from taijitu.buckets.port import Missing, TooLate, WrongBytes


class Incoming:
    """A temporary file, hashed while it is written. It exists from the first `append` on."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self.folder = folder
        self.prefix = prefix
        self.lock = threading.Lock()
        self.hash = hashlib.sha256()
        self.file: tuple[int, Path] | None = None
        self.over = False

    def append(self, data: bytes) -> None:
        """Hash and write."""
        with self.lock:
            if self.over:
                return
            if self.file is None:
                fd, path = tempfile.mkstemp(dir=self.folder, prefix=self.prefix)
                self.file = fd, Path(path)
            self.hash.update(data)
            write_all(self.file[0], data)

    def publish(self, digest: bytes, place: Callable[[Path], bool]) -> None:
        """Verify, make the content durable and hand the file to `place`, which gives it its name,
        or says that it is too late. Only after that the temporary name goes, in every case."""
        with self.lock:
            if self.over or self.file is None:
                raise TooLate("the upload was given up")
            try:
                if self.hash.digest() != digest:
                    raise WrongBytes("digest", "the sha2-256 digest is not the one announced")
                os.fsync(self.file[0])
                if not place(self.file[1]):
                    raise TooLate("the time for this upload is over")
            finally:
                self.end()

    def discard(self) -> None:
        """Forget the file, if it is still there."""
        with self.lock:
            self.end()

    def end(self) -> None:
        self.over = True
        if self.file is not None:
            (fd, path), self.file = self.file, None
            path.unlink(missing_ok=True)
            os.close(fd)


class Outgoing:
    """An object that is being read, from `start` on."""

    def __init__(self, path: Path, start: int) -> None:
        self.path = path
        self.start = start
        self.lock = threading.Lock()
        self.file: FileIO | None = None
        self.over = False

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; none at the end. Raises `Missing`."""
        with self.lock:
            if self.over:
                return b""
            if self.file is None:
                self.file = self.opened()
            return self.file.read(size)

    def opened(self) -> FileIO:
        try:
            file = FileIO(self.path, "rb")
        except FileNotFoundError:
            raise Missing("no object with that digest") from None
        file.seek(self.start)
        return file

    def close(self) -> None:
        with self.lock:
            self.over = True
            if self.file is not None:
                self.file.close()


def read_part(path: str, start: int, length: int) -> bytes:
    """What there is of `length` bytes from `start` on. Raises `Missing`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Missing("no object with that digest") from None
    try:
        return os.pread(fd, length, start)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`; a disk may take it in pieces."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_folder(folder: Path) -> None:
    """Make durable what was added to and taken from a folder."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
