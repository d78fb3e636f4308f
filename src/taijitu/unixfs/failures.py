"""What can be wrong with what was asked for, told apart by what is done about it.

Law: a text names the block it is about, and quotes no more than a little of what is in it.
"""

from taijitu.ipld.cid import Link


class UnixFSError(ValueError):
    """What was asked for is not there, or is not what it should be."""


class InvalidUnixFS(UnixFSError):
    """A block is malformed, or something it says is not so."""


class NotUnixFS(UnixFSError):
    """A block of another kind: its codec is neither raw nor DAG-PB."""


class OverLimit(UnixFSError):
    """A DAG is deeper or wider than we are ready to read."""


class NotFound(UnixFSError):
    """A path leads nowhere: `segment` is not in `at`."""

    def __init__(self, at: Link, segment: str, why: str) -> None:
        super().__init__(why)
        self.at = at
        self.segment = segment


class BadName(UnixFSError):
    """A name that no entry of a directory may have."""


class BadPath(UnixFSError):
    """A path that leads out of its root, or is too long."""


class BadSpan(UnixFSError):
    """A range of bytes that is not written as `from:to`."""
