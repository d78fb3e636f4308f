"""The gateway's door: `GET` and `HEAD /ipfs/{cid}[/path]`.

Law: nobody waits for a place: whoever finds none free is told to come again. A reader who takes
nothing loses his place after `SILENCE_MAX` seconds, and holds no more than a few blocks until then.
What cannot be given out is refused with a sentence; what turns out to be so in the midst of an
answer breaks it off.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, aclosing
from ipaddress import ip_address
from typing import Final

from taijitu.gateway.asked import NotUnderstood, asked
from taijitu.gateway.blocks import Blocks, Denied, NotHere, TooLarge, Unavailable
from taijitu.gateway.values import NoSuchForm
from taijitu.kernel.failures import Fault
from taijitu.protocols.pace import Pace
from taijitu.server.content import Content
from taijitu.server.http import Answer, BrokenOff, HttpAnswer, Request, sentence
from taijitu.server.limits import (
    GATEWAY_BURST,
    GATEWAY_CARS_MAX,
    GATEWAY_MAX,
    GATEWAY_OF_ONE_MAX,
    GATEWAY_PAUSE,
    RETRY_AFTER,
    Full,
    Slots,
    SlotsByName,
)
from taijitu.unixfs.failures import (
    BadPath,
    InvalidUnixFS,
    NotFound,
    NotUnixFS,
    OverLimit,
    UnixFSError,
)

NOT_KEPT: Final = {"cache-control": "no-store"}
"""For refusals: what is missing may come, and what is blocked may be so no longer."""

Chunks = AsyncGenerator[bytes, None]


class Gateway:
    """`is_near` tells addresses that are not counted, because many may ask from there."""

    def __init__(
        self,
        blocks: Blocks,
        now_ms: Callable[[], int],
        is_near: Callable[[str], bool] | None = None,
    ) -> None:
        self.content = Content(blocks)
        self.now_ms = now_ms
        self.is_near = is_near or is_private
        self.slots = Slots(GATEWAY_MAX)
        self.cars = Slots(GATEWAY_CARS_MAX)
        self.of_one = SlotsByName(GATEWAY_OF_ONE_MAX)
        self.pace = Pace(GATEWAY_BURST, GATEWAY_PAUSE)

    async def get(self, request: Request) -> Answer:
        """The answer to a request, or a refusal."""
        if (refused := self.too_often(request)) is not None:
            return refused
        with ExitStack() as place:
            try:
                if not self.is_near(request.client):
                    place.enter_context(self.of_one.one(request.client.encode()))
            except Full:
                return later(429, "Too much of what you asked for is under way.")
            try:
                place.enter_context(self.slots.one())
            except Full:
                return later(503, "Too much is being read.")
            return await self.answer(request, place)

    def too_often(self, request: Request) -> HttpAnswer | None:
        """The refusal for an address from which too many requests came."""
        if self.is_near(request.client):
            return None
        now = self.now_ms()
        if not self.pace.allows(request.client, now):
            return later(429, "Too many requests.")
        self.pace.note(request.client, now)
        return None

    async def answer(self, request: Request, place: ExitStack) -> Answer:
        try:
            wanted = asked(request.raw_path, request.query, request.headers.get("accept"))
            if request.headers.get("service-worker") == "script" and not wanted.segments:
                return sentence(400, "No service worker may speak for all content.", NOT_KEPT)
            if wanted.form == "car":
                place.enter_context(self.cars.one())
            return await self.content.answer(request, wanted, lambda chunks: holding(chunks, place))
        except Full:
            return later(503, "Too many CARs are being made.")
        except NotUnderstood as why:
            return sentence(why.status, str(why), NOT_KEPT)
        except NoSuchForm as why:
            return sentence(406, f"{said(why)}.", NOT_KEPT)
        except Unavailable as why:
            return unavailable(request, why)
        except UnixFSError as why:
            return sentence(status_of(why), f"{said(why)}.", NOT_KEPT)


async def holding(chunks: Chunks, place: ExitStack) -> Chunks:
    """The same chunks, the first one twice: to show that it could be read, and what it is. So a
    refusal can still be an answer, and whoever has seen it has only this to close."""
    with place.pop_all():
        async with aclosing(chunks):
            first = await anext(chunks, b"")
            yield first
            try:
                yield first
                async for chunk in chunks:
                    yield chunk
            except (Unavailable, UnixFSError, Fault) as why:
                raise BrokenOff(str(why)) from why


def unavailable(request: Request, why: Unavailable) -> HttpAnswer:
    """The refusal where a block is not to be had."""
    text = f"{said(why)}."
    match why:
        case Denied():
            return sentence(410, text, NOT_KEPT)
        case TooLarge():
            return sentence(400, text, NOT_KEPT)
        case NotHere() if "only-if-cached" in request.headers.get("cache-control", ""):
            return sentence(412, text, NOT_KEPT)
        case _:
            return sentence(404, text, NOT_KEPT)


def status_of(why: UnixFSError) -> int:
    match why:
        case NotFound() | InvalidUnixFS():
            return 404
        case BadPath() | NotUnixFS() | OverLimit():
            return 400
        case _:
            return 500


def said(why: Exception) -> str:
    """The reason, as a sentence begins."""
    text = str(why).encode("utf-8", "replace").decode()
    return text[:1].upper() + text[1:]


def later(status: int, text: str) -> HttpAnswer:
    return sentence(status, f"{text} Ask again.", {"retry-after": RETRY_AFTER} | NOT_KEPT)


def is_private(address: str) -> bool:
    """Whether an address is of this machine, or of a network of its own: there a proxy may stand,
    and behind it the world."""
    try:
        return ip_address(address).is_private
    except ValueError:
        return True
