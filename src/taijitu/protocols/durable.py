"""How a mutation is asked for and answered: one transaction, and its receipt in the same commit.

    invocation ──> message ──> transact ──> state ──> answer ──> receipt, recorded
                                              │
                                              └── no answer yet: wait a little, else "ask again"

The same invocation twice is one invocation: it gets the receipt that was recorded.
"""

from collections.abc import Callable
from typing import Any, Final

from taijitu.engine.engine import Concluded, Engine
from taijitu.ipld.cid import Link, link_to
from taijitu.kernel import receipt as kernel
from taijitu.kernel.effect import Message, Path
from taijitu.kernel.machine import State
from taijitu.protocols.execution import (
    Error,
    Invocation,
    NotReady,
    Ok,
    Outcome,
    Recorded,
    issue,
)
from taijitu.protocols.fairness import Patience
from taijitu.protocols.mentioned import mentioned
from taijitu.ucan import receipt as receipts
from taijitu.ucan.signer import Signer

ANSWER_MS_MAX: Final = 10_000
"""How long a request waits for its answer before it is told to ask again."""

Answer = Callable[[State, kernel.Receipt], Ok | Error | None]
"""What the state of the cell and its reply mean to who asked; `None` while it is not decided."""


class Durable:
    """Transactions on behalf of invocations."""

    def __init__(self, engine: Engine, signer: Signer, patience: Patience | None = None) -> None:
        self.engine = engine
        self.signer = signer
        self.patience = patience or Patience()

    async def carry_out(
        self, invocation: Invocation[Any], path: Path, message: Message, answer: Answer
    ) -> Outcome:
        """Let a cell hear `message`; answer once `answer` has one. Raises `NotReady`."""
        engine, cause = self.engine, invocation.link
        self.patience.check(invocation.resource, engine.now())
        issued: Recorded | None = None

        def conclude(state: State, reply: kernel.Receipt) -> Concluded | None:
            nonlocal issued
            outcome = answer(state, reply)
            if outcome is None:
                return None
            issued = Recorded(issue(self.signer, cause, outcome), outcome.blocks)
            return Concluded(issued.receipt.data, outcome.tasks, outcome.blocks)

        until = engine.now() + ANSWER_MS_MAX
        done = await engine.transact(path, message, cause=cause, conclude=conclude)
        while done.receipt is None and engine.now() < until:
            await engine.changed(path, done.head, until)
            done = await engine.conclude(path, cause, conclude)
        if done.receipt is None:
            raise NotReady
        if issued is not None and issued.receipt.data == done.receipt:
            if not issued.receipt.is_ok:
                self.patience.refused(invocation.resource, engine.now())
            return issued
        return await self.again(done.receipt)

    async def recorded(self, invocation: Link) -> Recorded | None:
        """The receipt that an invocation got before."""
        data = await self.engine.receipt(invocation)
        return None if data is None else await self.again(data)

    async def again(self, data: bytes) -> Recorded:
        """A receipt that was recorded, with what it mentions."""
        receipt = receipts.decode(link_to(data), data)
        return Recorded(receipt, await mentioned(self.engine.storage, receipt))
