"""The chain of one cell: its transitions one by one, the newest first, read back from storage."""

from collections.abc import AsyncGenerator

from taijitu.engine.cell import Machines, path_text
from taijitu.engine.storage import Storage
from taijitu.ipld.cid import Link
from taijitu.kernel import codec
from taijitu.kernel.codec import Transition
from taijitu.kernel.effect import Path
from taijitu.kernel.failures import BlockMissing


async def transitions(
    storage: Storage, machines: Machines, path: Path
) -> AsyncGenerator[tuple[Link, Transition]]:
    """Every transition with its link, as of now: what comes later is not seen.

    Raises `UnknownVersion` for what another version of a machine wrote, and `BlockMissing`.
    """
    row = await storage.head(path_text(path))
    cid, block = (None, None) if row is None else (Link(row.cid), row.block)
    while cid is not None:
        if block is None and (block := await storage.block(cid.data)) is None:
            raise BlockMissing(f"no transition {cid} of {path_text(path)}")
        transition = codec.decode(block, machines)
        yield cid, transition
        cid, block = transition.previous, None
