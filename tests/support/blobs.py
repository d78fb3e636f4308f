"""What clients do with `space/blob/*`: read what was promised, say that it was done."""

from collections.abc import Mapping
from typing import Any

from support.client import Car, Space, body_of
from taijitu.ipld.cid import Link
from taijitu.ucan import receipt as receipts
from taijitu.ucan.delegation import Delegation, decode
from taijitu.ucan.issue import delegate
from taijitu.ucan.receipt import Receipt
from taijitu.ucan.signer import Signer, from_archive
from taijitu.wire import message


class Added:
    """What a client reads in the answer to `space/blob/add`: tasks, and receipts of some."""

    def __init__(self, receipt: Receipt, blocks: Mapping[Link, bytes]) -> None:
        self.receipt = receipt
        self.blocks = blocks
        self.forked = [decode(link, blocks[link]) for link in receipt.fork]
        self.said = {each.ran: each for each in map(self._reported, self._all("ucan/conclude"))}

    def _all(self, can: str) -> list[Delegation]:
        return [task for task in self.forked if task.capabilities[0].can == can]

    def _reported(self, conclude: Delegation) -> Receipt:
        link = conclude.capabilities[0].nb["receipt"]
        return receipts.decode(link, self.blocks[link])

    def task(self, can: str) -> Delegation:
        (found,) = self._all(can)
        return found

    @property
    def allocate(self) -> Delegation:
        return self.task("web3.storage/blob/allocate")

    @property
    def put(self) -> Delegation:
        return self.task("http/put")

    @property
    def accept(self) -> Delegation:
        return self.task("web3.storage/blob/accept")

    @property
    def tasks(self) -> tuple[Delegation, ...]:
        return self.allocate, self.put, self.accept

    @property
    def allocated(self) -> Any:
        """`ok` of the allocation: `{size, address}`."""
        return self.said[self.allocate.link].out["ok"]

    def put_done(self, out: Mapping[str, object] | None = None) -> Receipt:
        """What a client says when it has put the bytes."""
        key = from_archive(self.put.facts[0]["keys"])
        return receipts.issue(key, self.put.link, out or {"ok": {}})


def concluding(
    agent: Signer, service: str, receipt: Link, blocks: Mapping[Link, bytes], **more: Any
) -> Delegation:
    """An invocation that reports a receipt; it names the blocks that come along."""
    return delegate(
        agent,
        service,
        [{"can": "ucan/conclude", "with": agent.did, "nb": {"receipt": receipt}}],
        expiration=None,
        facts=[{str(number): link for number, link in enumerate(blocks)}],
        **more,
    )


def asks_to_add(space: Space, car: Car, size: int | None = None) -> Delegation:
    blob = {"digest": car.link.multihash, "size": car.size if size is None else size}
    return space.ask("space/blob/add", {"blob": blob})


def asks_to_remove(space: Space, car: Car) -> Delegation:
    return space.ask("space/blob/remove", {"digest": car.link.multihash})


async def ask(space: Space, asked: Delegation) -> Added:
    """The promise that the service makes."""
    client = space.client
    reply = await client.post(body_of([asked]))
    assert reply.status == 200, (reply.status, reply.text)
    return Added(client.receipts_in(reply.body)[asked.link], message.decode(reply.body).blocks)


async def add(space: Space, car: Car) -> Added:
    return await ask(space, asks_to_add(space, car))


async def conclude(space: Space, added: Added) -> None:
    """Say that the bytes were put, as published clients do: always in the same words."""
    receipt = added.put_done()
    blocks = {receipt.link: receipt.data, added.put.link: added.put.data}
    client = space.client
    said = concluding(space.owner, client.did, receipt.link, blocks)
    reply = await client.post(
        message.encode(execute=[said.link], blocks={**blocks, said.link: said.data})
    )
    assert client.receipts_in(reply.body)[said.link].is_ok


async def recorded(space: Space, task: Delegation) -> tuple[Receipt, Mapping[Link, bytes]] | None:
    """What `GET /receipt/` has of a task, if it has anything. A put is said by its own key."""
    client = space.client
    reply = await client.request("GET", f"{client.service.url}/receipt/{task.link}")
    if reply.status == 404:
        return None
    assert reply.status == 200, (reply.status, reply.text)
    answer = message.decode(reply.body)
    link = answer.report[task.link]
    receipt = receipts.decode(link, answer.blocks[link])
    assert (receipt.ran, receipt.issuer) == (task.link, task.issuer)
    assert receipts.verify(receipt, [client.key])
    return receipt, answer.blocks


async def settled(space: Space, task: Delegation) -> Any:
    """The outcome of a task, or `None`."""
    found = await recorded(space, task)
    return None if found is None else found[0].out


async def location(space: Space, added: Added) -> str:
    """The URL of the commitment that `accept` has made."""
    found = await recorded(space, added.accept)
    assert found is not None, "it is not accepted"
    receipt, blocks = found
    site = receipt.out["ok"]["site"]
    claim = decode(site, blocks[site])
    assert (claim.issuer, claim.audience) == (space.client.did, space.did)
    (commitment,) = claim.capabilities
    assert (commitment.can, commitment.resource) == ("assert/location", space.client.key)
    (url,) = commitment.nb["location"]
    return url
