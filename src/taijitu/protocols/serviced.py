"""`web3.storage/blob/*`: the two tasks of `space/blob/add` that are ours, as invocations. The
service itself may invoke them, and nobody else.

Law: they reach the same entry as the promise does. What they make true for it becomes true with
their own answer, in one commit.
"""

from typing import Any

from taijitu.kernel import receipt as kernel
from taijitu.kernel.machine import State
from taijitu.machines.entry import Add, Receiving, Stored, entry_at
from taijitu.protocols.blob import FACE, is_stored, named_wrong, refusal, too_large
from taijitu.protocols.capabilities import (
    BLOB_ACCEPT,
    BLOB_ALLOCATE,
    BlobAccept,
    BlobAllocate,
    blob_of,
)
from taijitu.protocols.conclude import Hint
from taijitu.protocols.durable import Durable
from taijitu.protocols.entries import name_of
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.promises import Request
from taijitu.protocols.settled import NOT_FOUND, Settling, allocation
from taijitu.protocols.spaces import Spaces
from taijitu.ucan.signer import Signer


class Serviced:
    """The two abilities. `size_max` is the size of the largest blob that is taken, in bytes; `hint`
    returns once somebody has looked whether some bytes have come."""

    def __init__(
        self, durable: Durable, spaces: Spaces, settling: Settling, size_max: int, hint: Hint
    ) -> None:
        self.durable = durable
        self.spaces = spaces
        self.settling = settling
        self.size_max = size_max
        self.hint = hint
        self.signer: Signer = durable.signer

    def providers(self) -> tuple[Provider[Any], ...]:
        return (
            Provider(BLOB_ALLOCATE, self.allocate),
            Provider(BLOB_ACCEPT, self.accept),
        )

    async def allocate(self, invocation: Invocation[BlobAllocate]) -> Outcome:
        """Set room aside in a space, on behalf of the invocation that is named as the cause: how
        many bytes were taken, and where to put them, unless they are here."""
        nb, blob = invocation.nb, blob_of(invocation.nb.blob)
        if (refused := self.not_for_us(invocation) or named_wrong(blob.digest)) is not None:
            return refused
        if (refused := await self.spaces.admit(nb.space)) is not None:
            return refused
        name, engine = name_of(blob.digest), self.durable.engine
        if blob.size > self.size_max and not await is_stored(engine, nb.space, name):
            return too_large(blob.size, self.size_max)
        message = Add(
            at=engine.now(),
            invocation=invocation.link,
            space=nb.space,
            multihash=name,
            agent=invocation.issuer,
            size=blob.size,
            face=FACE,
            cause=nb.cause,
        )

        def answer(state: State, reply: kernel.Receipt) -> Ok | Error | None:
            if (refused := refusal(state, reply)) is not None:
                return refused
            if not isinstance(state, Receiving | Stored):
                return None
            attempt = state.attempt
            return Ok(allocation(attempt.size if attempt.id == invocation.link else 0, state))

        return await self.durable.carry_out(invocation, entry_at(nb.space, name), message, answer)

    async def accept(self, invocation: Invocation[BlobAccept]) -> Outcome:
        """Say where the bytes are, if they have come: a commitment, as long as the space holds
        them. That they have not is no last word, and is not recorded."""
        nb, blob = invocation.nb, blob_of(invocation.nb.blob)
        if (refused := self.not_for_us(invocation) or named_wrong(blob.digest)) is not None:
            return refused
        await self.hint(blob.digest)
        request = Request(nb.space, blob.digest, blob.size, invocation.link)

        def answer(state: State) -> Ok | None:
            if not isinstance(state, Stored) or state.attempt.size != blob.size:
                return None
            claim = self.settling.site(request)
            return Ok({"site": claim.link}, (claim.link,), blocks={claim.link: claim.data})

        path = entry_at(nb.space, name_of(blob.digest))
        return await self.durable.observe(invocation, path, answer) or NOT_FOUND

    def not_for_us(self, invocation: Invocation[Any]) -> Error | None:
        """What is asked in the name of a space is not the service's to do."""
        if invocation.resource == self.signer.did:
            return None
        can = invocation.delegation.capabilities[0].can
        return Error(
            "UnsupportedCapability",
            f'{invocation.resource} does not have a "{can}" capability provider',
        )
