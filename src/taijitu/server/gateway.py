"""The gateway's door: `GET` and `HEAD /ipfs/{cid}[/path]`.

Law: nobody waits for a place: whoever finds none free is told to come again. Whatever is long holds
its place until it was taken. A reader who takes nothing has no place and no connection any more
after `SILENCE_MAX` seconds, and holds no more than a few blocks until then.
What cannot be given out is refused with a sentence; what turns out to be so in the midst of an
answer breaks it off.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, aclosing
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from taijitu.gateway.asked import NotUnderstood, asked
from taijitu.gateway.blocks import Blocks, Denied, NotHere, NotYet, TooLarge, Unavailable
from taijitu.gateway.values import NoSuchForm
from taijitu.kernel.failures import Fault
from taijitu.protocols.pace import Pace
from taijitu.server.content import Content
from taijitu.server.http import Answer, BrokenOff, HttpAnswer, Request, sentence
from taijitu.server.limits import (
    GATEWAY_BURST,
    GATEWAY_CARS_MAX,
    GATEWAY_CARS_OF_ONE_MAX,
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

HOST_BITS: Final = 64
"""Bits of an IPv6 address that its owner may choose."""

Chunks = AsyncGenerator[bytes, None]


class Gateway:
    """`is_near` tells addresses that are not counted, because many may ask from there. Others are
    counted by party."""

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
        self.cars_of_one = SlotsByName(GATEWAY_CARS_OF_ONE_MAX)
        self.pace = Pace(GATEWAY_BURST, GATEWAY_PAUSE)

    async def get(self, request: Request) -> Answer:
        """The answer to a request, or a refusal."""
        party = None if self.is_near(request.client) else party_of(request.client)
        if party is not None and not self.in_time(party):
            return later(429, "Too many requests.")
        with ExitStack() as place:
            refused = take(place, self.slots, self.of_one, party)
            return refused or await self.answer(request, place, party)

    def in_time(self, party: str) -> bool:
        """Whether a party may ask once more; then it has."""
        now = self.now_ms()
        allowed = self.pace.allows(party, now)
        if allowed:
            self.pace.note(party, now)
        return allowed

    async def answer(self, request: Request, place: ExitStack, party: str | None) -> Answer:
        try:
            wanted = asked(request.raw_path, request.query, request.headers.get("accept"))
            if request.headers.get("service-worker") == "script" and not wanted.segments:
                return sentence(400, "No service worker may speak for all content.", NOT_KEPT)
            if wanted.form == "car":
                refused = take(place, self.cars, self.cars_of_one, party)
                if refused is not None:
                    return refused
            return await self.content.answer(request, wanted, lambda chunks: holding(chunks, place))
        except NotUnderstood as why:
            return sentence(why.status, str(why), NOT_KEPT)
        except NoSuchForm as why:
            return sentence(406, f"{said(why)}.", NOT_KEPT)
        except Unavailable as why:
            return unavailable(request, why)
        except UnixFSError as why:
            return sentence(status_of(why), f"{said(why)}.", NOT_KEPT)


def take(
    place: ExitStack, slots: Slots, of_one: SlotsByName, party: str | None
) -> HttpAnswer | None:
    """Take a slot, for as long as the place is held. The refusal, if none is free."""
    try:
        if party is not None:
            place.enter_context(of_one.one(party.encode()))
    except Full:
        return later(429, "Too much of what you asked for is under way.")
    try:
        place.enter_context(slots.one())
    except Full:
        return later(503, "Too much is being read.")
    return None


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
        case NotYet():
            return later(503, text)
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


def is_private(client: str) -> bool:
    """Whether an address is of this machine, or of a network of its own: there a proxy may stand,
    and behind it the world."""
    address = address_of(client)
    return address is None or address.is_private


def party_of(client: str) -> str:
    """The name under which an address is counted. Whoever has an address of IPv6 has 2^64."""
    address = address_of(client)
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> HOST_BITS << HOST_BITS))
    return str(address)


def address_of(client: str) -> IPv4Address | IPv6Address | None:
    """An address of IPv4 stays one where it is written as one of IPv6, as sockets for both do."""
    try:
        address = ip_address(client)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
