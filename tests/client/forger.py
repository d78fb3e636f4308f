"""A server that can be told to lie: what it answers to an invocation is up to the test."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from support.service import free_port
from taijitu.ipld.cid import Link
from taijitu.ucan import receipt as receipts
from taijitu.ucan.receipt import Receipt
from taijitu.ucan.signer import Signer
from taijitu.wire import message

CONTENT_TYPE = "application/vnd.ipld.car"

EMPTY_LIST: Mapping[str, object] = {"ok": {"size": 0, "results": []}}

Lie = Callable[[Link], web.StreamResponse]
"""Given the invocation: the answer."""


def saying(receipt: Receipt, ran: Link | None = None) -> web.Response:
    """A message that reports a receipt, for `ran` if that is another than the receipt says."""
    blocks = {receipt.link: receipt.data}
    body = message.encode(report={ran or receipt.ran: receipt.link}, blocks=blocks)
    return web.Response(body=body, content_type=CONTENT_TYPE)


def signed(signer: Signer, ran: Link, out: Mapping[str, object] = EMPTY_LIST) -> Receipt:
    return receipts.issue(signer, ran, out)


class Forger:
    """What was asked of it, and what it says."""

    def __init__(self, url: str, service: Signer) -> None:
        self.url = url
        self.service = service
        self.lie: Lie = lambda ran: saying(signed(service, ran))
        self.object: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
        self.asked: list[Link] = []

    async def post(self, request: web.Request) -> web.StreamResponse:
        (ran,) = message.decode(await request.read()).execute
        self.asked.append(ran)
        return self.lie(ran)

    async def get(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/version":
            who = {"did": self.service.did, "publicKey": self.service.key_did}
            return web.json_response(who)
        assert self.object is not None
        return await self.object(request)


@asynccontextmanager
async def lying(service: Signer) -> AsyncGenerator[Forger]:
    """Such a server, for as long as the block lasts."""
    port = free_port()
    forger = Forger(f"http://127.0.0.1:{port}", service)
    app = web.Application()
    app.router.add_post("/", forger.post)
    app.router.add_get("/{path:.*}", forger.get)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield forger
    finally:
        await runner.cleanup()
