"""The CARs of a space: put there, looked up, listed, let go of.

Law: `add` ends with the bytes stored, or with an exception that says why they are not. Each try of
an upload begins with the question whether it is still needed.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Final

from taijitu.client import answers
from taijitu.client.answers import Added, Item, Page, Removed, Room
from taijitu.client.content import Content, Progress, Source, ignore, opened
from taijitu.client.failures import NotAccepted, NotFound, Unavailable, Unusable, WrongBytes
from taijitu.client.retry import Again
from taijitu.client.session import Session
from taijitu.ipld.cid import InvalidLink, Link

if TYPE_CHECKING:
    from taijitu.client.connection import Connection

PAGE: Final = 100
"""Items asked for at once where nothing is said."""

STORED_TIME_MAX: Final = 120.0
"""Seconds that a service may take to see bytes that it has taken."""

LOOK: Final = 0.02
"""Seconds between the first two looks whether it has; later ones are further apart."""

LOOK_MAX: Final = 2.0
"""Seconds between two looks, at most."""


class Store:
    """`store/*` of one space."""

    def __init__(self, session: Session, space: str) -> None:
        self.session = session
        self.space = space

    async def add(
        self,
        source: Source,
        *,
        origin: Link | str | None = None,
        wait: bool = True,
        hashing: Progress = ignore,
        sending: Progress = ignore,
    ) -> Added:
        """Store a CAR: bytes, a file by its path, or an asynchronous iterator over its pieces.

        With `wait`, returns once the service says that it is stored; without, once it has taken
        the bytes. Raises `Refused` (as `InsufficientStorage`), `Unavailable` and the rest.
        """
        async with opened(source, hashing) as content:
            before = None if origin is None else link_of(origin)
            return await self.upload(content, before, wait, sending)

    async def upload(
        self, content: Content, origin: Link | None, wait: bool, sending: Progress
    ) -> Added:
        """Ask for room, send, and ask whether it is there; again where sending fails."""
        nb: dict[str, object] = {"link": content.link, "size": content.size}
        if origin is not None:
            nb["origin"] = origin
        room = await self.room(nb)
        added = Added(content.link, content.size, room.allocated, room.status == "upload")
        patience = self.session.patience(f"uploading {content.link}")
        while room.status == "upload":
            try:
                await send(self.session.connection, room.url, room.headers, content, sending)
            except Again as why:
                await patience.wait(why)
                room = await self.room(nb)
            else:
                break
        if added.sent and wait:
            await self.stored(nb)
        return added

    async def room(self, nb: Mapping[str, object]) -> Room:
        return answers.room(await self.session.invoke("store/add", nb, space=self.space))

    async def stored(self, nb: Mapping[str, object]) -> None:
        """Return once the service says `done`. Raises `Unavailable` if it does not in time."""
        end, pause = monotonic() + STORED_TIME_MAX, LOOK
        while (await self.room(nb)).status != "done":
            if monotonic() > end:
                raise Unavailable(
                    f"the service has taken {nb['link']}, and after {STORED_TIME_MAX:g} s does not "
                    "say that it is stored"
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LOOK_MAX)

    async def get(self, link: Link | str) -> Item:
        """What the space knows of one CAR. Raises `NotFound`."""
        nb = {"link": link_of(link)}
        return answers.item(await self.session.invoke("store/get", nb, space=self.space))

    async def remove(self, link: Link | str) -> Removed:
        """Let go of a CAR. Raises `NotFound`."""
        known = link_of(link)
        ok = await self.session.invoke("store/remove", {"link": known}, space=self.space)
        return answers.removed(known, ok)

    async def page(self, cursor: str | None = None, size: int = PAGE) -> Page:
        """One page of the list, from a cursor on, the newest first."""
        nb: dict[str, object] = {"size": size}
        if cursor is not None:
            nb["cursor"] = cursor
        return answers.page(await self.session.invoke("store/list", nb, space=self.space))

    async def pages(self, size: int = PAGE) -> AsyncGenerator[Page]:
        """All pages that hold something."""
        cursor: str | None = None
        while (page := await self.page(cursor, size)).items:
            yield page
            if page.cursor is None or page.cursor == cursor:
                return
            cursor = page.cursor

    async def list(self, size: int = PAGE) -> AsyncGenerator[Item]:
        """Every CAR of the space, the newest first; `size` of them are asked for at once."""
        async for page in self.pages(size):
            for item in page.items:
                yield item

    async def has(self, link: Link | str) -> bool:
        """Whether the space holds a CAR, or expects its bytes."""
        try:
            await self.get(link)
        except NotFound:
            return False
        return True


async def send(
    connection: "Connection",
    url: str,
    headers: Mapping[str, str],
    content: Content,
    sending: Progress,
) -> None:
    """Put bytes to where a receipt said. Raises `Again` also where a new URL may help."""
    try:
        await connection.put(url, headers, content, sending)
    except NotAccepted as why:
        if why.status == 403:  # it has expired in the meantime, as far as we can tell
            raise Again(str(why)) from why
        if why.status == 400 and await content.has_changed():
            raise WrongBytes("the file has changed while it was being sent") from why
        raise


def link_of(link: Link | str) -> Link:
    """A link, from its text too. Raises `Unusable`."""
    try:
        return link if isinstance(link, Link) else Link.parse(link)
    except InvalidLink as why:
        raise Unusable(str(why)) from None
