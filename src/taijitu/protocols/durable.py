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
from taijitu.protocols.mentioned import failure, mentioned
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
        conclude = Concluding(self.signer, cause, answer)
        until = engine.now() + ANSWER_MS_MAX
        done = await engine.transact(path, message, cause=cause, conclude=conclude)
        while done.receipt is None and engine.now() < until:
            await engine.changed(path, done.head, until)
            done = await engine.conclude(path, cause, conclude)
        if done.receipt is None:
            raise NotReady
        return await self.given(invocation, done.receipt, conclude)

    async def observe(
        self, invocation: Invocation[Any], path: Path, answer: Callable[[State], Ok | Error | None]
    ) -> Outcome | None:
        """Answer from how a cell stands, without a message to it: recorded all the same. `None` if
        `answer` has none, and then nothing is written down. Raises `NotReady`."""
        self.patience.check(invocation.resource, self.engine.now())
        conclude = Concluding(self.signer, invocation.link, lambda state, _: answer(state))
        done = await self.engine.conclude(path, invocation.link, conclude)
        if done.receipt is None:
            return None
        return await self.given(invocation, done.receipt, conclude)

    async def given(
        self, invocation: Invocation[Any], receipt: bytes, conclude: "Concluding"
    ) -> Recorded:
        """The receipt that stands: the one just made, or one from before."""
        issued = conclude.issued
        if issued is None or issued.receipt.data != receipt:
            return await self.again(receipt)
        if issued.failed or not issued.receipt.is_ok:
            self.patience.refused(invocation.resource, self.engine.now())
        return issued

    async def recorded(self, invocation: Link) -> Recorded | None:
        """The receipt that an invocation got before."""
        data = await self.engine.receipt(invocation)
        return None if data is None else await self.again(data)

    async def again(self, data: bytes) -> Recorded:
        """A receipt that was recorded, with what it mentions."""
        receipt = receipts.decode(link_to(data), data)
        blocks = await mentioned(self.engine.storage, receipt)
        return Recorded(receipt, blocks, failure(blocks))


class Concluding:
    """Makes the receipt of an invocation within a transaction, which may have to run again: the
    last one is `issued`."""

    def __init__(self, signer: Signer, cause: Link, answer: Answer) -> None:
        self.signer = signer
        self.cause = cause
        self.answer = answer
        self.issued: Recorded | None = None

    def __call__(self, state: State, reply: kernel.Receipt) -> Concluded | None:
        outcome = self.answer(state, reply)
        if outcome is None:
            return None
        failed = outcome.failed if isinstance(outcome, Ok) else ""
        issued = Recorded(issue(self.signer, self.cause, outcome), outcome.blocks, failed)
        self.issued = issued
        return Concluded(issued.receipt.data, outcome.tasks, outcome.blocks)
