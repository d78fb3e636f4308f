"""A service in memory that keeps blobs, and clients of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from support.blobs import Added, concluding
from taijitu.buckets.names import path_of
from taijitu.ipld import multibase
from taijitu.ipld.cid import Link, multihash
from taijitu.protocols.blob import Blobs
from taijitu.protocols.conclude import Conclusions
from taijitu.protocols.execution import Executed, run
from taijitu.protocols.promises import Promises
from taijitu.protocols.serviced import Serviced
from taijitu.protocols.settled import Settling
from taijitu.protocols.store import Store
from taijitu.testing.world import SimulatedWorld
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.receipt import Receipt
from taijitu.ucan.signer import Signer
from taijitu.wire.message import Message
from unit.protocols.serving import NONCES, Serving
from unit.ucan.people import alice, ask, service, space

SIZE_MAX = 1_000
ROOM = 10_000
"""Bytes."""


def blob_of(data: bytes) -> dict[str, object]:
    return {"digest": multihash(data), "size": len(data)}


def location(digest: bytes) -> str:
    return "http://bucket.test" + path_of(digest)


def read(executed: Executed) -> Added:
    return Added(executed.receipt, executed.blocks)


class Keeping(Serving):
    """A service that answers for blobs, and for `store/*`; `space` has some room. A second one over
    the same world is what is there after a restart."""

    def __init__(self, world: SimulatedWorld | None = None, *, size_max: int = SIZE_MAX) -> None:
        super().__init__(world)
        self.told: list[tuple[str, str]] = []
        self.settling = Settling(Promises(service), location)
        self.engine.witness = self.settling.witness()
        self.begin(
            Blobs(self.durable, self.spaces, self.settling, size_max),
            Serviced(self.durable, self.spaces, self.settling, size_max, self.hint),
            Store(self.durable, self.spaces, size_max),
            Conclusions(self.engine, self.hint),
        )
        self.service = replace(self.service, told=self._count)

    def _count(self, can: str, outcome: str) -> None:
        self.told.append((can, outcome))

    async def open(self, *owners: Signer, room: int = ROOM) -> "Keeping":
        for owner in owners or (space,):
            await self.world.provision(owner.did, room)
        return self

    def restarted(self, *, size_max: int = SIZE_MAX) -> "Keeping":
        before = self.world
        return Keeping(
            SimulatedWorld(before.storage, before.bucket, before.clock), size_max=size_max
        )

    async def hint(self, digest: bytes) -> None:
        await self.world.dispatcher.hint(multibase.encode("z", digest))

    async def execute(
        self, invocation: Delegation, company: Mapping[Link, bytes] | None = None
    ) -> Executed:
        blocks = {**(company or {}), invocation.link: invocation.data}
        (executed,) = await run(self.service, Message((invocation.link,), blocks=blocks))
        return executed

    def asks_to_add(self, data: bytes, owner: Signer = space, **blob: object) -> Delegation:
        capability = {"can": "space/blob/add", "with": owner.did}
        nb = {"blob": {**blob_of(data), **blob}}
        return ask(owner, {**capability, "nb": nb}, nonce=str(next(NONCES)))

    async def add(self, data: bytes, owner: Signer = space, **blob: object) -> Added:
        return read(await self.execute(self.asks_to_add(data, owner, **blob)))

    async def conclude(
        self,
        receipt: Receipt,
        *company: Delegation,
        agent: Signer = alice,
        receipt_comes: bool = True,
    ) -> Any:
        """What the service says to somebody's receipt: `{"ok": …}` or `{"error": …}`."""
        blocks = {each.link: each.data for each in company}
        if receipt_comes:
            blocks[receipt.link] = receipt.data
        nonce = str(next(NONCES))
        said = concluding(agent, service.did, receipt.link, blocks, nonce=nonce)
        return (await self.execute(said, blocks)).receipt.out

    async def store(self, data: bytes, owner: Signer = space) -> Added:
        """Add a blob, put its bytes where that was said, and tell."""
        added = await self.add(data, owner)
        if "address" in added.allocated:
            self.world.arrive(data)
            assert "ok" in await self.conclude(added.put_done())
        return added

    async def settled(self, task: Delegation) -> Any:
        """What `GET /receipt/` has of a task: its outcome, or `None`."""
        recorded = await self.durable.recorded(task.link)
        return None if recorded is None else recorded.receipt.out

    async def all_settled(self, tasks: Sequence[Delegation]) -> list[Any]:
        return [await self.settled(task) for task in tasks]
