"""What a space holds: CARs, blobs, uploads, and what is known of where blocks lie in them."""

from typing import Final

from taijitu.client import answers
from taijitu.client.answers import SpaceInfo
from taijitu.client.blobs import Blobs
from taijitu.client.session import Session
from taijitu.client.store import Store, link_of
from taijitu.client.uploads import Uploads
from taijitu.ipld.cid import Link

INDEXED_TIME: Final = 600.0
"""Seconds that an index may have to wait until those of others were looked at."""

LOOKED_THROUGH: Final = 10_000_000
"""Bytes that a service looks through in a second, at the least."""


class Holdings:
    """Each kind of thing that one space keeps, as the service knows it."""

    def __init__(self, session: Session, did: str) -> None:
        self.session = session
        self.did = did
        self.store = Store(session, did)
        self.blobs = Blobs(session, did)
        self.uploads = Uploads(session, did)

    async def index(self, link: Link | str, size: int = 0) -> None:
        """Have an index, a blob of this space, taken for what it says. It takes the service its
        time to look through the shards, `size` bytes. Raises `Refused`, `Unavailable`."""
        nb, within = {"index": link_of(link)}, INDEXED_TIME + size / LOOKED_THROUGH
        await self.session.invoke("space/index/add", nb, space=self.did, within=within)

    async def info(self) -> SpaceInfo:
        """Who provides for the space. Raises `NotFound` where nobody here does."""
        return answers.space_info(await self.session.invoke("space/info", space=self.did))
