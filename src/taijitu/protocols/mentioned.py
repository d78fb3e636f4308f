"""The blocks that a receipt mentions: tasks that follow from it, and what they mention in turn.

They were kept in the commit that made the receipt true. What is not here is left out: a receipt may
mention tasks of others.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from taijitu.engine.storage import Storage
from taijitu.ipld.cid import DAG_CBOR, Link
from taijitu.protocols.execution import error_in
from taijitu.ucan import receipt as receipts
from taijitu.ucan.delegation import InvalidDelegation, decode
from taijitu.ucan.receipt import InvalidReceipt, Receipt

MENTIONED_MAX: Final = 256
"""Blocks that travel with a receipt that is given again."""


async def mentioned(storage: Storage, receipt: Receipt) -> dict[Link, bytes]:
    """Those blocks that storage has, in the order in which they are mentioned."""
    found: dict[Link, bytes] = {}
    waiting = [*receipt.fork, *([] if receipt.join is None else [receipt.join])]
    for link in waiting:
        if link in found or len(found) >= MENTIONED_MAX:
            continue
        block = await storage.block(link.data)
        if block is not None:
            found[link] = block
            waiting += attached(link, block)
    return found


def attached(link: Link, block: bytes) -> Iterator[Link]:
    """What a task brings along: its proofs, and the blocks that its facts name."""
    if link.codec != DAG_CBOR:
        return
    try:
        task = decode(link, block)
    except InvalidDelegation:
        return
    yield from task.proofs
    for fact in task.facts:
        yield from (value for value in fact.values() if isinstance(value, Link))


def failure(blocks: Mapping[Link, bytes]) -> str:
    """The name of the first error that one of several receipts holds; nothing if none does."""
    for link, block in blocks.items():
        try:
            failed = error_in(receipts.decode(link, block))
        except InvalidReceipt:
            continue
        if failed:
            return failed
    return ""
