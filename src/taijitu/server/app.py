"""The HTTP application: raw ASGI, a handful of routes, no framework.

Law: every request gets an answer with a sentence in it, or a body that says what it is. What goes
wrong inside is logged with its traceback under the request's id; outside only the id is seen.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from taijitu.kernel.failures import Fault
from taijitu.kernel.record import Record
from taijitu.server import about, logs
from taijitu.server.downloads import SIGNATURE, Downloads
from taijitu.server.http import (
    Answer,
    BrokenOff,
    Disconnected,
    HttpAnswer,
    Receive,
    Refused,
    Request,
    Scope,
    Send,
    reply,
    sentence,
)
from taijitu.server.limits import (
    RETRY_AFTER,
    RPC_BODIES_SIZE_MAX,
    RPC_BODY_SIZE_FREE,
    RPC_BODY_SIZE_MAX,
    RPC_BODY_TIME_MAX,
    RPCS_MAX,
    Full,
    Room,
    Slots,
)
from taijitu.server.logs import log
from taijitu.server.meter import Meter
from taijitu.server.post import VALIDATE
from taijitu.server.refusals import refusal
from taijitu.server.uploads import Uploads

RECEIPT: Final = "/receipt/"
CONTENT: Final = "/ipfs/"
TESTING: Final = "/testing/"
REFUSED: Final = 400
"""The status from which on an answer is a refusal."""
TASK_SIZE_MAX: Final = 128
"""Characters of a task's link in a path."""

CORS: Final = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "*",
}
"""Whoever asks, from whatever page: what a request may do is decided by its signature."""

PREFLIGHT: Final = {
    "access-control-allow-headers": "*",
    "access-control-max-age": "86400",
}

Handler = Callable[[Request], Awaitable[Answer]]
Rpc = Callable[[str | None, str | None, bytes], Awaitable[HttpAnswer]]
"""Content type, accept, body: answer."""


class Doors(Record):
    """What stands behind the routes."""

    rpc: Rpc
    receipt: Callable[[str], Awaitable[HttpAnswer]]
    """Given the text of a task's link, as it stood in the path."""

    trouble: Callable[[], Awaitable[str | None]]
    """What keeps the service from working; `None` when nothing does."""

    uploads: Uploads
    downloads: Downloads
    gateway: Handler | None = None
    """Content by CID and path, where it is given out."""

    letter: Handler | None = None
    """Where a letter leads to, and what its button does."""

    testing: Handler | None = None
    """What only tests may ask, where they may."""


class Route(NamedTuple):
    """A place, under the name it is counted by, and what can be done there."""

    name: str
    methods: Mapping[str, Handler]


class App:
    """The ASGI application. `started` and `stopped` are called by servers that tell the lifespan;
    whoever runs it in another way calls them himself."""

    def __init__(
        self,
        who: about.About,
        doors: Doors,
        meter: Meter,
        *,
        started: Callable[[], Awaitable[None]] | None = None,
        stopped: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.who = who
        self.doors = doors
        self.meter = meter
        self.started = started
        self.stopped = stopped
        self.rpcs = Slots(RPCS_MAX)
        self.bodies = Room(RPC_BODIES_SIZE_MAX, RPC_BODY_SIZE_FREE)
        self.places = {
            "/": Route("rpc", {"POST": self.rpc} | both(self.page)),
            "/version": Route("version", both(self.version)),
            "/.well-known/did.json": Route("did", both(self.did)),
            "/health": Route("health", both(self.health)),
            "/metrics": Route("metrics", both(self.metrics)),
        }
        if doors.letter is not None:
            route = Route("letter", {**both(self.letter), "POST": self.letter})
            self.places[VALIDATE] = route
        self.receipts = Route("receipt", both(self.receipt))
        self.content = Route("gateway", both(doors.gateway or closed))
        self.testing = Route("testing", both(doors.testing)) if doors.testing else None
        self.objects = Route("object", {"PUT": doors.uploads.put} | both(doors.downloads.get))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(receive, send)
        elif scope["type"] == "http":
            await self.serve(Request(scope, receive), send)
        else:
            await send({"type": "websocket.close"})

    async def serve(self, request: Request, send: Send) -> None:
        """One request, from its headers to its line in the log."""
        began = time.perf_counter()
        route = self.route(request.path)
        answer: Answer | None = None
        sent = 0
        self.meter.under_way.inc()
        logs.REQUEST.set(request.id)
        try:
            answer = await self.answer(route, request)
            sent = await reply(request, answer, CORS | {"x-request-id": request.id}, send)
        except Disconnected:
            log.info("client went away", request=request.id, path=request.path)
        except BrokenOff as why:
            log.warning("broken off", request=request.id, path=request.path, why=str(why))
        except TimeoutError:
            log.info("client took no more", request=request.id, path=request.path)
            raise
        finally:
            self.meter.under_way.dec()
            self.note(route, request, answer, sent, time.perf_counter() - began)

    async def answer(self, route: Route, request: Request) -> Answer:
        """What the route says; every exception but a cancellation becomes an answer."""
        try:
            handler = route.methods.get(request.method)
            return await handler(request) if handler else elsewhere(route, request)
        except Refused as refused:
            return refused.answer
        except Full:
            return sentence(503, "Too much is under way. Ask again.", {"retry-after": RETRY_AFTER})
        except Fault as why:
            log.warning("fault", request=request.id, path=request.path, why=str(why))
            text = f"The service cannot do this right now. Ask again. (request {request.id})"
            return sentence(503, text, {"retry-after": RETRY_AFTER})
        except Disconnected:
            raise
        except Exception:
            log.exception("request failed", request=request.id, path=request.path)
            return sentence(500, f"Something went wrong here. (request {request.id})")

    def route(self, path: str) -> Route:
        """Everything that is no fixed place, and no receipt, is an object's place: so a changed
        path of a signed URL is refused as S3 refuses it."""
        place = self.places.get(path)
        if place is not None:
            return place
        if path.startswith(CONTENT):
            return self.content
        if self.testing is not None and path.startswith(TESTING):
            return self.testing
        return self.receipts if path.startswith(RECEIPT) else self.objects

    def note(
        self, route: Route, request: Request, answer: Answer | None, sent: int, seconds: float
    ) -> None:
        """Count a request and write its line, which tells why it was refused if it was. Status 0:
        there was nobody to answer."""
        status = answer.status if answer else 0
        self.meter.count(
            route.name, request.method, status, seconds=seconds, got=request.received, gave=sent
        )
        why: dict[str, str] = {}
        if isinstance(answer, HttpAnswer) and status >= REFUSED:
            why["why"] = logs.why(answer.body)
        log.info(
            "request",
            request=request.id,
            method=request.method,
            path=request.path,
            status=status,
            ms=round(seconds * 1000, 2),
            got=request.received,
            gave=sent,
            **why,
        )

    async def lifespan(self, receive: Receive, send: Send) -> None:
        """The ASGI lifespan: start before the first request, stop after the last."""
        while True:
            kind = (await receive())["type"]
            hook = self.started if kind == "lifespan.startup" else self.stopped
            try:
                if hook is not None:
                    await hook()
            except Exception as why:
                log.exception("lifespan failed", stage=kind)
                await send({"type": f"{kind}.failed", "message": str(why)})
                return
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return

    async def rpc(self, request: Request) -> HttpAnswer:
        """An agent message, answered by an agent message."""
        asked = request.headers
        if (coding := asked.get("content-encoding", "identity")).strip().lower() != "identity":
            return sentence(415, f"The body is encoded ({coding[:40]}). Send it as it is.")
        with self.bodies.one() as grow:
            body = await request.body(RPC_BODY_SIZE_MAX, RPC_BODY_TIME_MAX, grow)
            with self.rpcs.one():
                return await self.doors.rpc(asked.get("content-type"), asked.get("accept"), body)

    async def receipt(self, request: Request) -> HttpAnswer:
        """The receipt of a task, once there is one."""
        task = request.path.removeprefix(RECEIPT)
        if not task or len(task) > TASK_SIZE_MAX or not task.isalnum():
            return sentence(404, "A receipt is at /receipt/{task}, the task being a link.")
        with self.rpcs.one():
            return await self.doors.receipt(task)

    async def letter(self, request: Request) -> Answer:
        """What somebody who got a letter sees."""
        assert self.doors.letter is not None
        with self.rpcs.one():
            return await self.doors.letter(request)

    async def health(self, _request: Request) -> HttpAnswer:
        """200 when the service works, 503 and what ails it when it does not."""
        trouble = await self.doors.trouble()
        if trouble is None:
            return about.json({"status": "ok"})
        return about.json({"status": "unwell", "trouble": trouble}, 503)

    async def version(self, _request: Request) -> HttpAnswer:
        return about.version(self.who)

    async def did(self, _request: Request) -> HttpAnswer:
        return about.did_document(self.who)

    async def page(self, _request: Request) -> HttpAnswer:
        return about.page(self.who)

    async def metrics(self, _request: Request) -> HttpAnswer:
        return self.meter.answer()


def both(handler: Handler) -> dict[str, Handler]:
    """A handler for `GET` and, without the body, for `HEAD`."""
    return {"GET": handler, "HEAD": handler}


async def closed(_request: Request) -> HttpAnswer:
    """The answer of a gateway that is off."""
    return sentence(404, "This service gives nothing out by CID and path: its gateway is off.")


def elsewhere(route: Route, request: Request) -> HttpAnswer:
    """The answer to a method that the place does not have."""
    allowed = ", ".join([*route.methods, "OPTIONS"])
    if request.method == "OPTIONS":
        headers = PREFLIGHT | {"access-control-allow-methods": allowed, "allow": allowed}
        return HttpAnswer(204, headers)
    if SIGNATURE in request.query.lower():
        text = f"The signature is not one for {request.method} here."
        return refusal(request, 403, "SignatureDoesNotMatch", text)
    text = f"{request.method} can not be done here; {allowed} can."
    return sentence(405, text, {"allow": allowed})
