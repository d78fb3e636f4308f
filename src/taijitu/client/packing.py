"""Files and folders become blocks, one after the other, as they are read.

Law: as the published client does it: a file alone is itself; of a folder, the files in the order
of their paths; names that begin with a dot are left out unless they are asked for, and so are links
and whatever else is no file. Memory holds a piece of one file, and the names of all.

Nothing here waits for the loop: call it in a thread.
"""

import os
import stat
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from taijitu.client.failures import Unusable
from taijitu.unixfs.block import Block, Packed
from taijitu.unixfs.directory import DirectoryPacker
from taijitu.unixfs.failures import UnixFSError
from taijitu.unixfs.file import CHUNK_SIZE, FilePacker
from taijitu.unixfs.tree import Tree, arrange
from taijitu.wire.sharded_index import SLICES_MAX

FILES_MAX: Final = 500_000
"""Files of one upload: with the nodes of their folders they are what an index has room for."""

READING: Final = os.O_RDONLY | os.O_CLOEXEC


class Found(NamedTuple):
    """A file, and how its path is to be."""

    name: str
    path: str
    size: int


class Listing(NamedTuple):
    """What is to be packed: the files of a folder, or one file that is to be itself."""

    files: tuple[Found, ...]
    alone: bool

    @property
    def size(self) -> int:
        """Bytes of all files, as they were when they were listed."""
        return sum([file.size for file in self.files])

    @property
    def blocks(self) -> int:
        """Blocks at the least, if no two are the same: of the files, and one a folder."""
        folders = {file.name.rpartition("/")[0] for file in self.files}
        return len(folders) + sum([-(-file.size // CHUNK_SIZE) for file in self.files])


class Meter:
    """How many bytes of files were packed."""

    def __init__(self) -> None:
        self.done = 0


def listing(paths: Sequence[Path], hidden: bool = False) -> Listing:
    """A file; the files of a folder; or of several of both, each under its name. Raises `Unusable`.

    What is named is taken, links included; within a folder no link is followed.
    """
    if not paths:
        raise Unusable("there is nothing to put: name a file or a folder")
    found = _listing(paths, hidden)
    if len(found.files) > FILES_MAX or found.blocks > SLICES_MAX:
        text = f"{len(found.files):,} files of {found.size:,} bytes are too much for one upload"
        raise Unusable(
            f"{text}, of {FILES_MAX:,} files and {SLICES_MAX:,} blocks: put less at once"
        )
    return found


def _listing(paths: Sequence[Path], hidden: bool) -> Listing:
    try:
        if len(paths) == 1:
            return _of_one(paths[0], hidden)
        names = _names_of(paths)
        pairs = zip(paths, names, strict=True)
        found = [each for path, name in pairs for each in _below(path, name, hidden)]
    except OSError as why:
        raise Unusable(f"{why.filename} cannot be read: {why.strerror}") from None
    return Listing(_ordered(found), alone=False)


def _of_one(path: Path, hidden: bool) -> Listing:
    about = path.stat()
    if stat.S_ISDIR(about.st_mode):
        return Listing(_ordered(list(_in_folder(str(path), "", hidden))), alone=False)
    _check_kind(path, about.st_mode)
    return Listing((Found(path.name, str(path), about.st_size),), alone=True)


def _names_of(paths: Sequence[Path]) -> list[str]:
    """What several files are called beside each other. Only that: `..` has no name, and behind a
    link it leads elsewhere than the text says."""
    whole = [Path(os.path.normpath(path.absolute())) for path in paths]
    above = os.path.commonpath([path.parent for path in whole])
    return [os.path.relpath(path, above) for path in whole]


def _below(path: Path, name: str, hidden: bool) -> Iterator[Found]:
    about = path.stat()
    if stat.S_ISDIR(about.st_mode):
        yield from _in_folder(str(path), f"{name}/", hidden)
        return
    _check_kind(path, about.st_mode)
    yield Found(name, str(path), about.st_size)


def _check_kind(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise Unusable(f"{path} is neither a file nor a folder")


def _in_folder(folder: str, prefix: str, hidden: bool) -> Iterator[Found]:
    """The files in a folder and in those below it; nothing in them is followed."""
    todo = [(folder, prefix)]
    count = 0
    while todo:
        folder, prefix = todo.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") and not hidden:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    todo.append((entry.path, f"{prefix}{entry.name}/"))
                elif entry.is_file(follow_symlinks=False):
                    size = entry.stat(follow_symlinks=False).st_size
                    yield Found(prefix + entry.name, entry.path, size)
                    count += 1
                    if count > FILES_MAX:
                        text = f"{folder} and the rest are more than {FILES_MAX:,} files"
                        raise Unusable(f"{text}: put less at once")


def _ordered(found: list[Found]) -> tuple[Found, ...]:
    """By path, as JavaScript compares texts: by units of UTF-16. Raises `Unusable` for a name that
    is no text: nobody could say under which one it is to be found again."""
    for file in found:
        try:
            file.name.encode()
        except UnicodeEncodeError:
            raise Unusable(f"the name {os.fsencode(file.path)!r} is not UTF-8: rename it") from None
    return tuple(sorted(found, key=lambda file: file.name.encode("utf-16-be")))


def blocks_of(found: Listing, meter: Meter) -> Generator[Block, None, Packed]:
    """The blocks, children before parents; returns what they are of. Raises `Unusable`."""
    try:
        if found.alone:
            return (yield from _of_file(found.files[0].path, meter, follow=True))
        return (yield from _of_tree(arrange([each.name for each in found.files]), found, meter))
    except OSError as why:
        raise Unusable(f"{why.filename or 'a file'} cannot be read: {why.strerror}") from None
    except UnixFSError as why:
        raise Unusable(str(why)) from None


def _of_tree(tree: Tree, found: Listing, meter: Meter) -> Generator[Block, None, Packed]:
    levels = [("", DirectoryPacker(), iter(tree.items()))]
    while True:
        name, packer, children = levels[-1]
        child, what = next(children, ("", None))
        if isinstance(what, dict):
            levels.append((child, DirectoryPacker(), iter(what.items())))
        elif what is not None:
            packer.add(child, (yield from _of_file(found.files[what].path, meter)))
        else:
            yield from packer.end()
            levels.pop()
            if not levels:
                return packer.root
            levels[-1][1].add(name, packer.root)


def _of_file(path: str, meter: Meter, *, follow: bool = False) -> Generator[Block, None, Packed]:
    packer = FilePacker()
    fd = os.open(path, READING if follow else READING | os.O_NOFOLLOW)
    try:
        piece = min(CHUNK_SIZE, os.fstat(fd).st_size + 1)
        while data := os.read(fd, piece):
            piece = CHUNK_SIZE  # for one that has grown, or does not say how large it is
            meter.done += len(data)
            yield from packer.feed(data)
    finally:
        os.close(fd)
    yield from packer.end()
    return packer.root


class Stream:
    """A file whose bytes are given piece by piece."""

    def __init__(self, meter: Meter) -> None:
        self._packer = FilePacker()
        self._meter = meter

    def feed(self, data: bytes) -> list[Block]:
        self._meter.done += len(data)
        return self._packer.feed(data)

    def end(self) -> tuple[list[Block], Packed]:
        """The last blocks, and what they are of."""
        blocks = self._packer.end()
        return blocks, self._packer.root
