"""`ucan/conclude`: a receipt of somebody's, which is a hint to look and never proof.

Whoever knows a digest can sign that the bytes were put. So what is concluded only wakes those who
wait for the bytes; if these are here, all that was promised is settled before the answer.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from taijitu.engine.engine import Engine
from taijitu.ipld.cid import Link
from taijitu.protocols.capabilities import HTTP_PUT, UCAN_CONCLUDE, UcanConclude
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.ucan import receipt as receipts
from taijitu.ucan.delegation import Delegation, InvalidDelegation, decode
from taijitu.ucan.receipt import InvalidReceipt
from taijitu.ucan.schema import Mismatch

Hint = Callable[[bytes], Awaitable[None]]
"""Something may have happened to these bytes (a multihash): returns once somebody has looked."""


class Conclusions:
    def __init__(self, engine: Engine, hint: Hint) -> None:
        self.engine = engine
        self.hint = hint

    def providers(self) -> tuple[Provider[Any], ...]:
        return (Provider(UCAN_CONCLUDE, self.conclude),)

    async def conclude(self, invocation: Invocation[UcanConclude]) -> Outcome:
        link, blocks = invocation.nb.receipt, invocation.blocks
        if link not in blocks:
            return Error("Error", f"the receipt {link} did not come along")
        try:
            ran = receipts.decode(link, blocks[link]).ran
        except InvalidReceipt as why:
            return Error("Error", str(why))
        task = await self._task(ran, blocks)
        multihash = None if task is None else put_by(task)
        if multihash is not None:
            await self.hint(multihash)
        return Ok({"time": self.engine.now()})

    async def _task(self, link: Link, blocks: Mapping[Link, bytes]) -> Delegation | None:
        """The task, if it came along or is one that we have promised."""
        block = blocks.get(link) or await self.engine.storage.block(link.data)
        try:
            return None if block is None else decode(link, block)
        except InvalidDelegation:
            return None


def put_by(task: Delegation) -> bytes | None:
    """The multihash of the bytes that a task puts, if it is such a task."""
    for capability in task.capabilities:
        if capability.can == HTTP_PUT.can:
            try:
                return HTTP_PUT.nb.read(capability.nb)["body"]["digest"]
            except Mismatch:
                return None
    return None
