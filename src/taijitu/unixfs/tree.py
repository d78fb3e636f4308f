"""Paths of files become a tree of names, as whoever packs several files at once lists them.

Law: as `@storacha/upload-client` does it: a `/` or `./` in front means nothing, the order is that
in which names come up first, and of two files with one path the later one counts.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias, Union

from taijitu.unixfs.directory import name_bytes
from taijitu.unixfs.failures import BadPath

DEPTH_MAX: Final = 500
"""Directories inside each other, the outermost included: as many as are written again."""

Tree: TypeAlias = dict[str, Union["Tree", int]]
"""Names, and what they name: a directory, or the file with this number in the list."""


def arrange(paths: Iterable[str]) -> Tree:
    """The tree of the files with these paths, numbered from 0.

    Raises `BadPath` for a path that is empty, too deep, or goes on behind a file, and `BadName`.
    """
    root: Tree = {}
    for number, path in enumerate(paths):
        segments = path.split("/")
        if segments[0] in ("", "."):
            segments = segments[1:]
        if not segments or len(segments) > DEPTH_MAX:
            raise BadPath(f"no file can have the path {path[:80]!r}")
        for segment in segments:
            name_bytes(segment)
        directory = root
        for segment in segments[:-1]:
            inner = directory.setdefault(segment, {})
            if isinstance(inner, int):
                raise BadPath(f"{path[:80]!r} goes on behind a file")
            directory = inner
        if isinstance(directory.get(segments[-1]), dict):
            raise BadPath(f"{path[:80]!r} is a file and a directory")
        directory[segments[-1]] = number
    return root
