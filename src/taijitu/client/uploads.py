"""The uploads of a space: what clients noted about content, a root and the CARs that hold it.

A note is no more than that: adding one stores no bytes, and removing it removes none.
"""

from collections.abc import AsyncGenerator, Iterable

from taijitu.client import answers
from taijitu.client.answers import Upload, UploadPage
from taijitu.client.session import Session
from taijitu.client.store import PAGE, link_of
from taijitu.ipld.cid import Link


class Uploads:
    """`upload/*` of one space."""

    def __init__(self, session: Session, space: str) -> None:
        self.session = session
        self.space = space

    async def add(self, root: Link | str, shards: Iterable[Link | str] = ()) -> Upload:
        """Note an upload, or more shards (links of CARs) of one that is known; answers with all of
        its shards. Raises `Refused` (as `InsufficientStorage`)."""
        nb = {"root": link_of(root), "shards": [link_of(shard) for shard in shards]}
        return answers.upload(await self.session.invoke("upload/add", nb, space=self.space))

    async def get(self, root: Link | str) -> Upload:
        """What the space knows of one upload. Raises `NotFound`."""
        nb = {"root": link_of(root)}
        return answers.upload(await self.session.invoke("upload/get", nb, space=self.space))

    async def remove(self, root: Link | str) -> Upload:
        """Forget an upload, and answer with what was known of it. Raises `NotFound`."""
        nb = {"root": link_of(root)}
        return answers.upload(await self.session.invoke("upload/remove", nb, space=self.space))

    async def page(self, cursor: str | None = None, size: int = PAGE) -> UploadPage:
        """One page of the list, from a cursor on, the newest first."""
        nb: dict[str, object] = {"size": size}
        if cursor is not None:
            nb["cursor"] = cursor
        return answers.uploads(await self.session.invoke("upload/list", nb, space=self.space))

    async def list(self, size: int = PAGE) -> AsyncGenerator[Upload]:
        """Every upload of the space, the newest first; `size` of them are asked for at once."""
        cursor: str | None = None
        while (page := await self.page(cursor, size)).items:
            for upload in page.items:
                yield upload
            if page.cursor is None or page.cursor == cursor:
                return
            cursor = page.cursor
