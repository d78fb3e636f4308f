"""Three kinds of trouble, told apart by what is done about them.

Failure   the protocol says no       a value (`Error`): recorded, answered, never raised
Fault     the world is not well      raised: tried again later, nothing is lost
Bug       we are wrong               raised: nothing is written, a person looks
"""


class Fault(Exception):
    """The world did not answer properly. Trying again later may work."""


class HeadMoved(Fault):
    """Another process changed a cell since we read it."""


class Contention(Fault):
    """A transaction lost its race too many times in a row."""


class BlockMissing(Fault):
    """A link that we hold leads to no block."""


class Bug(Exception):
    """An invariant does not hold. Please report this."""


class UnknownVersion(Bug):
    """A block was written by a machine, or holds a tag, that this program does not know."""
