"""A service in memory: the shipped machines and handlers, a clock moved by hand, and no HTTP."""

from collections.abc import Mapping, Sequence
from itertools import count
from types import MappingProxyType
from typing import Any, Final

from taijitu.ipld.cid import Link
from taijitu.protocols.durable import Durable
from taijitu.protocols.execution import Provider, Service, providers, run
from taijitu.protocols.spaces import Spaces
from taijitu.testing.world import SimulatedWorld
from taijitu.ucan import receipt
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.receipt import Receipt
from taijitu.ucan.signer import Signer
from taijitu.wire.message import Message
from unit.ucan.people import ask, authority, now, service, space

NONCES = count(1)
NOTHING: Final[Mapping[Link, bytes]] = MappingProxyType({})


class Serving:
    """A service that answers for `families`; a family is made by `begin`. Unknown spaces have no
    room. Whether a UCAN is valid is said at one and the same moment, in any world."""

    def __init__(self, world: SimulatedWorld | None = None) -> None:
        self.world = world or SimulatedWorld()
        self.engine = self.world.engine
        self.spaces = Spaces(self.engine, None)
        self.durable = Durable(self.engine, service)
        self.service = self._answering()

    def begin(self, *families: Any) -> None:
        self.service = self._answering(*[each for one in families for each in one.providers()])

    def _answering(self, *table: Provider[Any]) -> Service:
        return Service(
            signer=service,
            authority=authority,
            providers=providers(*table),
            clock=self.seconds,
            recorded=self.durable.recorded,
        )

    def seconds(self) -> int:
        """The time by which UCANs are valid."""
        return now

    async def send(
        self, invocation: Delegation, *proofs: Delegation, company: Mapping[Link, bytes] = NOTHING
    ) -> Receipt:
        """`company`: blocks that come along, besides the proofs."""
        blocks = {**company, **{each.link: each.data for each in (invocation, *proofs)}}
        (executed,) = await run(self.service, Message((invocation.link,), blocks=blocks))
        assert receipt.verify(executed.receipt, [service.key_did])
        return executed.receipt

    async def invoke(
        self,
        can: str,
        owner: Signer = space,
        *,
        agent: Signer | None = None,
        proofs: Sequence[Delegation] = (),
        **nb: Any,
    ) -> Any:
        """What the service says (`ok` or `error`) to an invocation that was never sent before:
        over the DID of `owner`, who asks unless `agent` does."""
        capability = {"can": can, "with": owner.did, "nb": nb}
        asked = ask(agent or owner, capability, proofs, nonce=str(next(NONCES)))
        return (await self.send(asked, *proofs)).out

    async def ok(self, can: str, owner: Signer = space, **more: Any) -> Any:
        out = await self.invoke(can, owner, **more)
        assert "ok" in out, out
        return out["ok"]

    async def error(self, can: str, owner: Signer = space, **more: Any) -> Any:
        out = await self.invoke(can, owner, **more)
        assert "error" in out, out
        return out["error"]
