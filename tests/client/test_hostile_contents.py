"""Goal: whatever a gateway or a service answers, nothing is taken for content or for a receipt that
is not; nothing that is sent without end is read without end, and what stalls is given up.

Method: a server that lies.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from aiohttp import web

from client.forger import CONTENT_TYPE, Forger, lying
from support.eventually import eventually
from taijitu.client import (
    Client,
    NotAccepted,
    Retry,
    Signer,
    Unavailable,
    Untrusted,
    WrongBytes,
    new_key,
)
from taijitu.client.connection import Times
from taijitu.ipld import car, varint
from taijitu.ipld.carstream import BLOCK_SIZE_MAX
from taijitu.ipld.cid import RAW, Link, link_to, multihash
from taijitu.protocols.promises import Promise, Promises, Request
from taijitu.ucan import receipt as receipts
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.receipt import Receipt
from taijitu.ucan.signer import Signer as Key
from taijitu.unixfs.block import Block, Packed
from taijitu.unixfs.directory import DirectoryPacker
from taijitu.unixfs.file import FilePacker
from taijitu.wire import message

SERVICE = new_key().under("did:web:example.org")
MALLORY = new_key()
KIB = 1024

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def forger() -> AsyncGenerator[Forger]:
    async with lying(SERVICE) as forger:
        yield forger


def client_of(forger: Forger, key: Signer | None = None) -> Client:
    times = Times(silence=0.5, answer=5.0)
    return Client(forger.url, key=key, retry=Retry(tries=2, pause=0.01), times=times)


class File:
    """A file of several blocks, and a gateway that answers honestly unless it is told otherwise."""

    def __init__(self, forger: Forger, *, same: bool = False, chunk_size: int = 1000) -> None:
        self.data = bytes(3000) if same else os.urandom(3000)
        packer = FilePacker(chunk_size=chunk_size)
        self.made = [*packer.feed(self.data), *packer.end()]
        self.root = packer.root.link
        self.blocks = {block.link: bytes(block.data) for block in self.made}
        self.asked: list[str] = []
        self.sent = 0
        self.car: Callable[[], bytes] = self.whole
        self.raw: Callable[[Link], bytes] = self.blocks.__getitem__
        forger.object = self.answer

    def whole(self) -> bytes:
        """In the order of a walk, without what was there before."""
        ordered = [self.made[-1], *self.made[:-1]]
        return car.encode([self.root], [(block.link, bytes(block.data)) for block in ordered])

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.path.removeprefix("/ipfs/")
        form = request.query["format"]
        self.asked.append(form)
        return web.Response(body=self.car() if form == "car" else self.raw(Link.parse(name)))


async def read(client: Client, file: File) -> bytes:
    return b"".join([part async for part in client.contents.read(file.root)])


async def test_an_honest_gateway_is_asked_once(forger: Forger) -> None:
    file = File(forger)
    async with client_of(forger) as client:
        assert await read(client, file) == file.data
    assert file.asked == ["car"]


async def test_blocks_that_come_in_another_order_or_only_once_are_asked_for(forger: Forger) -> None:
    for same in (False, True):
        file = File(forger, same=same)
        backwards = list(file.blocks.items())
        file.car = lambda file=file, blocks=backwards: car.encode([file.root], blocks)
        async with client_of(forger) as client:
            assert await read(client, file) == file.data
        assert file.asked[0] == "car"
        assert set(file.asked[1:]) == {"raw"}


async def test_a_car_that_breaks_off_is_gone_on_with(forger: Forger) -> None:
    file = File(forger)
    file.car = lambda: file.whole()[:1500]
    async with client_of(forger) as client:
        assert await read(client, file) == file.data
    assert file.asked[0] == "car"
    assert len(file.asked) > 2


@pytest.mark.parametrize("at", [-1, 100, -1500])
async def test_other_bytes_are_noticed_in_a_car_and_alone(forger: Forger, at: int) -> None:
    file = File(forger)
    good = file.whole()

    def spoiled() -> bytes:
        other = bytearray(good)
        other[at] ^= 1
        return bytes(other)

    file.car = spoiled
    file.raw = lambda link: b"x" + file.blocks[link][1:]
    async with client_of(forger) as client:
        with pytest.raises(WrongBytes, match="gives something else than"):
            await read(client, file)
    file.car = lambda: b""
    async with client_of(forger) as client:
        with pytest.raises(WrongBytes, match="do not hash"):
            await read(client, file)


async def test_nothing_of_a_spoiled_folder_is_written(forger: Forger, tmp_path: Path) -> None:
    file = File(forger)
    folder = DirectoryPacker()
    folder.add("file", Packed(file.root, 3000, 3000))
    blocks: list[Block] = [*folder.end()]
    file.blocks |= {block.link: bytes(block.data) for block in blocks}
    file.car = lambda: b""
    file.raw = lambda link: file.blocks[link] if link.codec != RAW else b"other"
    async with client_of(forger) as client:
        with pytest.raises(WrongBytes):
            await client.get(folder.root.link, tmp_path / "folder")
    assert names_in(tmp_path) == []


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("head", [varint.encode(2**40), b"\xff" * 9, b"\x00"])
async def test_what_announces_nonsense_is_not_waited_for(forger: Forger, head: bytes) -> None:
    file = File(forger)
    file.car = lambda: head + bytes(100)
    async with client_of(forger) as client:
        with pytest.raises(WrongBytes):
            await read(client, file)
    file.car = lambda: car.encode([file.root], []) + head + bytes(100)
    async with client_of(forger) as client:
        with pytest.raises(WrongBytes):
            await read(client, file)


def endless(sent: list[int], begin: bytes, piece: Callable[[], bytes]) -> Answer:
    """A body that does not end as long as somebody reads."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(begin)
        while True:
            data = piece()
            await response.write(data)
            sent.append(len(data))

    return answer


def unwanted() -> bytes:
    """A section of a CAR."""
    block = os.urandom(64 * KIB)
    return car.encode([], [(link_to(block, RAW), block)])[len(car.encode([], [])) :]


async def test_an_endless_block_is_not_read_to_its_end(forger: Forger) -> None:
    sent: list[int] = []
    forger.object = endless(sent, b"", lambda: bytes(64 * KIB))
    async with client_of(forger) as client:
        with pytest.raises(WrongBytes, match="more than"):
            [part async for part in client.contents.read(link_to(b"wanted", RAW))]
    assert sum(sent) < 4 * BLOCK_SIZE_MAX


async def test_blocks_that_nobody_wanted_are_not_read(forger: Forger) -> None:
    file, sent = File(forger), list[int]()
    flood = endless(sent, car.encode([file.root], []), unwanted)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (flood(request) if request.query["format"] == "car" else file.answer(request))

    forger.object = answer
    async with client_of(forger) as client:
        assert await read(client, file) == file.data
    assert sum(sent) < 16 * 1024 * KIB


async def test_a_car_of_others_is_not_held_open_for_long(forger: Forger) -> None:
    file, closed = File(forger, chunk_size=100), list[str]()
    flood = endless([], car.encode([file.root], []), unwanted)

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.query["format"] != "car":
            return await file.answer(request)
        file.asked.append("car")
        try:
            return await flood(request)
        finally:
            closed.append("car" + ", part" * ("entity-bytes" in request.query))

    forger.object = answer
    async with client_of(forger) as client:
        async with aclosing(client.contents.read(file.root)) as parts:
            assert b"".join([part async for part in parts]) == file.data
        await eventually(now(closed), lambda names: names == ["car", "car, part"], seconds=10)
    assert len(file.asked) == file.asked.count("raw") + 2


def now(value: list[str]) -> Callable[[], Awaitable[list[str]]]:
    async def look() -> list[str]:
        return value

    return look


async def test_a_gateway_that_stalls_is_given_up(forger: Forger) -> None:
    file, over = File(forger), asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(file.whole()[:1500])
        await over.wait()
        return response

    forger.object = answer
    async with client_of(forger) as client:
        with pytest.raises(Unavailable, match="takes too long"):
            await read(client, file)
    over.set()


# What is promised behind space/blob/add

DATA = b"the bytes of a blob"
Told = list[tuple[Receipt, bool]]


class Promising:
    """Answers `space/blob/add` for bytes that are stored already."""

    def __init__(self, forger: Forger, key: Key = SERVICE) -> None:
        self.promises = Promises(SERVICE)
        self.key = key
        self.left_out: str | None = None
        self.ran: Link | None = None
        forger.lie = self.answer

    def told(self, promise: Promise) -> list[tuple[Delegation, Receipt]]:
        tasks = (
            (promise.allocate, {"size": 0}, self.key),
            (promise.accept, {"site": link_to(b"site")}, self.key),
        )
        return [
            (task, receipts.issue(key, self.ran or task.link, {"ok": ok}))
            for task, ok, key in tasks
        ]

    def answer(self, ran: Link) -> web.Response:
        promise = self.promises.of(Request("did:key:z6Mk", multihash(DATA), len(DATA), ran))
        blocks = {task.link: task.data for task in promise.tasks}
        fork = [*blocks]
        for task, receipt in self.told(promise):
            said, brought = self.promises.conclude(receipt, {task.link: task.data})
            fork.append(said.link)
            blocks |= brought
        if self.left_out is not None:
            (gone,) = (task for task in promise.tasks if task.capabilities[0].can == self.left_out)
            fork.remove(gone.link)
        receipt = receipts.issue(SERVICE, ran, {"ok": {"site": promise.site}}, fx_fork=fork)
        blocks[receipt.link] = receipt.data
        body = message.encode(report={ran: receipt.link}, blocks=blocks)
        return web.Response(body=body, content_type=CONTENT_TYPE)


async def test_a_promise_that_is_kept_already_is_enough(forger: Forger, alice: Signer) -> None:
    Promising(forger)
    async with client_of(forger, alice) as client:
        added = await client.blobs.add(DATA)
    assert (added.size, added.sent, added.url) == (len(DATA), False, None)
    assert len(forger.asked) == 1


async def test_a_promise_without_one_of_its_tasks_is_not_taken(
    forger: Forger, alice: Signer
) -> None:
    promising = Promising(forger)
    async with client_of(forger, alice) as client:
        for name in ("web3.storage/blob/allocate", "http/put", "web3.storage/blob/accept"):
            promising.left_out = name
            with pytest.raises(Untrusted, match=f"promises no {name}"):
                await client.blobs.add(DATA)


async def test_a_receipt_in_the_name_of_the_service_is_its_own(
    forger: Forger, alice: Signer
) -> None:
    Promising(forger, MALLORY.under(SERVICE.did))
    async with client_of(forger, alice) as client:
        with pytest.raises(Untrusted, match="not signed by who"):
            await client.blobs.add(DATA)


async def test_receipts_of_other_tasks_prove_nothing(forger: Forger, alice: Signer) -> None:
    promising = Promising(forger)
    promising.ran = link_to(b"another task")
    async with client_of(forger, alice) as client:
        with pytest.raises(Untrusted, match="where the bytes are to go"):
            await client.blobs.add(DATA)


@pytest.mark.parametrize("liar", ["mallory", "mallory as the service"])
async def test_a_receipt_that_comes_by_itself_is_signed_by_who_ran_it(
    forger: Forger, alice: Signer, liar: str
) -> None:
    promising = Promising(forger)
    told = promising.told
    promising.told = lambda promise: told(promise)[:1]
    key = MALLORY if liar == "mallory" else MALLORY.under(SERVICE.did)

    async def receipt_of(request: web.Request) -> web.StreamResponse:
        ran = Link.parse(request.path.removeprefix("/receipt/"))
        made = receipts.issue(key, ran, {"ok": {}})
        body = message.encode(report={ran: made.link}, blocks={made.link: made.data})
        return web.Response(body=body, content_type=CONTENT_TYPE)

    forger.object = receipt_of
    async with client_of(forger, alice) as client:
        with pytest.raises(Untrusted, match="signed by nobody who was to run it"):
            await client.blobs.add(DATA)


async def test_a_gateway_that_leads_in_a_circle_is_not_followed_for_long(forger: Forger) -> None:
    asked: list[str] = []

    async def circle(request: web.Request) -> web.StreamResponse:
        asked.append(request.path_qs)
        return web.Response(status=302, headers={"location": str(request.url)})

    file = File(forger)
    forger.object = circle
    async with client_of(forger) as client:
        with pytest.raises(NotAccepted, match="redirects without end"):
            await read(client, file)
    assert 1 < len(asked) < 20
