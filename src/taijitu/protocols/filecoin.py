"""`filecoin/offer` and `filecoin/info`: pieces, as clients compute them of every shard they send.

    piece = CIDv1, raw, of the multihash 0x1011: varint(padding) height root

No deals are made here. An offer is checked for its form and noted, if the bytes it is about are
stored here; what clients are told would follow (`filecoin/submit`, `filecoin/accept`) has names,
and never an outcome.
"""

from typing import Any, Final

from taijitu.engine.engine import Engine
from taijitu.ipld import varint
from taijitu.ipld.cid import Link
from taijitu.kernel import receipt as kernel
from taijitu.kernel.machine import State
from taijitu.kernel.record import Record
from taijitu.machines.blob import Kept, blob_at
from taijitu.machines.piece import Offer, piece_at
from taijitu.protocols.capabilities import FILECOIN_OFFER, FilecoinOffer
from taijitu.protocols.durable import Durable
from taijitu.protocols.entries import LINK_BYTES_MAX, name_of
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.ucan.capability import Ability, equal_field
from taijitu.ucan.issue import delegate
from taijitu.ucan.schema import Fields, did, piece_link

ROOT_SIZE: Final = 32
"""Bytes of the root of a piece."""

HEIGHT_MIN: Final = 2
"""The least height of a piece: four leaves of 32 bytes, which hold 127 bytes."""

LEAST: Final = 127
"""Bytes that a piece of the least height holds. Each level more doubles it."""


class FilecoinInfo(Record):
    piece: Link


FILECOIN_INFO: Final = Ability(
    "filecoin/info", did, Fields(FilecoinInfo, {"piece": piece_link}), equal_field("piece")
)


class Filecoin:
    """The two abilities, over whatever DID: clients offer in the name of the agent."""

    def __init__(self, durable: Durable) -> None:
        self.durable = durable
        self.engine: Engine = durable.engine

    def providers(self) -> tuple[Provider[Any], ...]:
        return Provider(FILECOIN_OFFER, self.offer), Provider(FILECOIN_INFO, self.info)

    async def offer(self, invocation: Invocation[FilecoinOffer]) -> Outcome:
        """Note a piece, if its content is here."""
        piece, content = invocation.nb.piece, invocation.nb.content
        fault = fault_of(piece)
        if fault is not None:
            return Error("Error", f"{piece} is not a piece: {fault}")
        if len(content.data) > LINK_BYTES_MAX:
            return Error("Error", f"the link of the content has more than {LINK_BYTES_MAX} bytes")
        follows = {can: self.task(can, invocation.nb) for can in ("submit", "accept")}
        answer = Ok({"piece": piece}, fork=(follows["submit"],), join=follows["accept"])
        if not await self.is_held(content):
            return answer

        def noted(_: State, __: kernel.Receipt) -> Ok:
            return answer

        path = piece_at(piece, content)
        message = Offer(self.engine.now(), invocation.link, piece, content, invocation.resource)
        return await self.durable.carry_out(invocation, path, message, noted)

    async def info(self, invocation: Invocation[FilecoinInfo]) -> Outcome:
        """What became of a piece: it is in no aggregate, and there are no deals."""
        piece = invocation.nb.piece
        await self.engine.settled()
        if not await self.engine.storage.scan(f"piece/{piece}/", limit=1):
            return Error("RecordNotFound", f"{piece} was not offered here")
        return Ok({"piece": piece, "aggregates": [], "deals": []})

    def task(self, verb: str, offer: FilecoinOffer) -> Link:
        """The name of what would follow from an offer. The same offer has the same."""
        signer = self.durable.signer
        nb = {"content": offer.content, "piece": offer.piece}
        capability = {"can": f"filecoin/{verb}", "with": signer.did, "nb": nb}
        return delegate(signer, signer.did, [capability], expiration=None).link

    async def is_held(self, content: Link) -> bool:
        """Whether somebody here needs these bytes."""
        state = (await self.engine.read(blob_at(name_of(content.multihash)))).state
        return isinstance(state, Kept) and state.references > 0


def fault_of(piece: Link) -> str | None:
    """What is wrong with the multihash of a piece, if anything is."""
    digest = piece.digest
    try:
        padding, at = varint.decode(digest)
    except varint.VarintError as why:
        return str(why)
    if len(digest) != at + 1 + ROOT_SIZE:
        return f"its digest has {len(digest)} bytes instead of {at + 1 + ROOT_SIZE}"
    height = digest[at]
    if height < HEIGHT_MIN:
        return f"its height is {height}, less than {HEIGHT_MIN}"
    if padding >= LEAST << (height - HEIGHT_MIN):
        return f"it would hold nothing but its padding of {padding} bytes"
    return None
