"""The chain of one cell: its transitions one by one, the newest first, read back from storage."""

from collections.abc import AsyncGenerator

from taijitu.engine.cell import Machines
from taijitu.engine.storage import HeadRow, Storage
from taijitu.ipld.cid import Link
from taijitu.kernel import codec
from taijitu.kernel.codec import Transition
from taijitu.kernel.failures import BlockMissing


async def transitions(
    storage: Storage, machines: Machines, head: HeadRow | None
) -> AsyncGenerator[tuple[Link, Transition]]:
    """Every transition that led to a head, with its link, and none without one.

    Raises `UnknownVersion` for what another version of a machine wrote, and `BlockMissing`.
    """
    if head is None:
        return
    cid, block = Link(head.cid), head.block
    while cid is not None:
        if block is None and (block := await storage.block(cid.data)) is None:
            raise BlockMissing(f"no transition {cid} of {head.path}")
        transition = codec.decode(block, machines)
        yield cid, transition
        cid, block = transition.previous, None
