"""A file of any length, fed in pieces of any size, becomes blocks.

Law: the same blocks as `@storacha/upload-client` makes: chunks of 1 MiB as raw blocks, up to 1,024
children a node, all leaves equally deep. What is held is one chunk and a row of links per level.
"""

from typing import Final

from taijitu.ipld.dagpb import PbLink
from taijitu.unixfs import block as blocks
from taijitu.unixfs.block import Block, Bytes, Packed
from taijitu.unixfs.data import Data, Kind

CHUNK_SIZE: Final = 1024 * 1024
"""Bytes of a leaf."""
WIDTH: Final = 1024
"""Children of a node."""


class FilePacker:
    """Feed it the bytes of a file, in order; then end it, and `root` is the file.

    What `feed` and `end` answer are the blocks that have become complete: leaves in order, and a
    node when it can grow no more. A block may be a view of what was fed.
    """

    def __init__(self, chunk_size: int = CHUNK_SIZE, width: int = WIDTH) -> None:
        if chunk_size < 1 or width < 2:
            raise ValueError("a chunk has at least one byte, a node at least two children")
        self._chunk_size = chunk_size
        self._width = width
        self._held = bytearray()
        self._rows: list[list[Packed]] = [[]]
        self._root: Packed | None = None

    @property
    def root(self) -> Packed:
        """The file, once it has ended."""
        if self._root is None:
            raise RuntimeError("the file has not ended")
        return self._root

    def feed(self, data: Bytes | bytearray) -> list[Block]:
        """The blocks that these bytes complete."""
        if self._root is not None:
            raise RuntimeError("the file has ended")
        view = memoryview(data)
        if not view.readonly:  # whoever gave it may write into it again
            view = memoryview(bytes(view))
        done: list[Block] = []
        offset, size = 0, self._chunk_size
        if self._held:
            offset = min(size - len(self._held), len(view))
            self._held += view[:offset]
            if len(self._held) == size:
                self._leaf(self._taken(), done)
        elif len(view) == size and isinstance(data, bytes):
            self._leaf(data, done)
            return done
        while len(view) - offset >= size:
            self._leaf(view[offset : offset + size], done)
            offset += size
        if offset < len(view):
            self._held += view[offset:]
        return done

    def end(self) -> list[Block]:
        """The last blocks, the root the last of them. Without a byte it is an empty leaf."""
        if self._root is not None:
            raise RuntimeError("the file has ended")
        done: list[Block] = []
        if self._held or not self._rows[0]:
            self._leaf(self._taken(), done)
        level = 0
        if len(self._rows) > 1 or len(self._rows[0]) > 1:
            while level == 0 or level + 1 < len(self._rows) or len(self._rows[level]) > 1:
                self._close(level, done)
                level += 1
        self._root = self._rows[level][0]
        return done

    def _taken(self) -> memoryview:
        """What is held, no longer held."""
        taken, self._held = memoryview(self._held).toreadonly(), bytearray()
        return taken

    def _leaf(self, data: Bytes, done: list[Block]) -> None:
        leaf = blocks.raw(data)
        done.append(leaf)
        self._grow(0, Packed(leaf.link, len(data), len(data)), done)

    def _grow(self, level: int, child: Packed, done: list[Block]) -> None:
        """Add to a row. One that is full becomes a node only when there is more: else it may be
        the root, whose children need no node of their own."""
        if level == len(self._rows):
            self._rows.append([])
        row = self._rows[level]
        if len(row) == self._width:
            self._close(level, done)
        self._rows[level].append(child)

    def _close(self, level: int, done: list[Block]) -> None:
        """Make the row a node, and that a child of the row above."""
        row = self._rows[level]
        self._rows[level] = []
        size = sum([child.size for child in row])
        links = [PbLink(child.link, b"", child.dag_size) for child in row]
        sizes = tuple([child.size for child in row])
        node = blocks.node(Data(Kind.FILE, filesize=size, blocksizes=sizes), links)
        done.append(node)
        self._grow(level + 1, Packed(node.link, blocks.dag_size(node, links), size), done)
