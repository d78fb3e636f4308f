"""`/validate-email`: where a letter leads to. A page says who asks for what, with a button.

Law: to look changes nothing, because programs look at what is in letters, too. The button sends the
letter's UCAN to where any other invocation goes, and what counts is decided there.
"""

from base64 import urlsafe_b64decode
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from taijitu.ipld import car
from taijitu.ipld.car import CarError, Limits
from taijitu.ipld.cid import Link
from taijitu.machines.login import Asked, Confirmed, login_at
from taijitu.protocols import execution
from taijitu.protocols.capabilities import ACCESS_CONFIRM
from taijitu.protocols.execution import MalformedInvocation, NotReady
from taijitu.server import pages
from taijitu.server.http import HttpAnswer, Request
from taijitu.server.installation import Installation
from taijitu.server.rpc import Rpc
from taijitu.ucan.authorize import Authorization, authorize
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.delegation import Delegation, InvalidDelegation
from taijitu.wire.message import Message

BODY_SIZE_MAX, BODY_TIME_MAX = 4_096, 10.0
"""Bytes and seconds of what a button sends, which is nothing."""

LETTER_LIMITS: Final = Limits(size_max=65_536, blocks_max=16)
"""Of the archive in a letter's address: it holds one UCAN."""


class Letter(NamedTuple):
    """What an address holds: the UCAN that confirms the login `request`."""

    ucan: Delegation
    request: Link


class Validation:
    """The page and its button."""

    def __init__(self, installation: Installation, rpc: Rpc) -> None:
        self.engine = installation.engine
        self.service = rpc.service
        self.host = urlsplit(installation.config.public_url).netloc

    async def answer(self, request: Request) -> HttpAnswer:
        """A page, whatever came. Raises `Refused`, `Disconnected` and `Fault`."""
        letter = self.letter_in(request.query)
        if letter is None:
            return pages.wrong(self.host)
        if request.method != "POST":
            return await self.shown(letter)
        await request.body(BODY_SIZE_MAX, BODY_TIME_MAX)
        return await self.confirmed(letter)

    async def shown(self, letter: Letter) -> HttpAnswer:
        """What has become of the login, and the button while that helps."""
        match (await self.engine.read(login_at(letter.request))).state:
            case Asked() as login if self.engine.now() < login.expires:
                return pages.question(self.host, login)
            case Confirmed() as login:
                return pages.confirmed(self.host, login)
            case _:
                return pages.late(self.host)

    async def confirmed(self, letter: Letter) -> HttpAnswer:
        """Send what the letter holds, and say what came of it."""
        sent = Message((letter.ucan.link,), blocks={letter.ucan.link: letter.ucan.data})
        try:
            (executed,) = await execution.run(self.service, sent)
        except NotReady as why:
            return pages.busy(self.host, why.retry_after_seconds)
        except MalformedInvocation:
            return pages.wrong(self.host)
        state = (await self.engine.read(login_at(letter.request))).state
        if executed.receipt.is_ok and isinstance(state, Confirmed):
            return pages.confirmed(self.host, state)
        if isinstance(state, Asked) and self.engine.now() < state.expires:
            return pages.wrong(self.host)
        return pages.late(self.host)

    def letter_in(self, query: str) -> Letter | None:
        """The letter that an address holds, if it is one of ours, in time or not."""
        ucan = ucan_in(query)
        if ucan is None or ucan.expiration is None or len(ucan.capabilities) != 1:
            return None
        authorized = authorize(
            ucan,
            ACCESS_CONFIRM,
            Bundle({ucan.link: ucan.data}),
            now=ucan.expiration - 1,
            authority=self.service.authority,
        )
        if not isinstance(authorized, Authorization):
            return None
        if {ucan.audience, authorized.resource} != {self.service.signer.did}:
            return None
        return Letter(ucan, authorized.nb.cause)


def ucan_in(query: str) -> Delegation | None:
    """The UCAN that an address holds, whoever made it."""
    text = parse_qs(query).get("ucan", [""])[0]
    try:
        archive = car.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), LETTER_LIMITS)
        return Bundle(archive.blocks).view(archive.roots[0])
    except (ValueError, CarError, IndexError, InvalidDelegation):
        return None
