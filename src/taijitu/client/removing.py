"""Uploads are let go of: what is noted of them, their shards, and the index that says where in them
everything lies.

Law: nothing goes that another upload of the space names. The note goes last: whatever breaks off is
done by saying it again.
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Final

from taijitu.client.answers import Blob, Removed, Upload
from taijitu.client.content import ignore
from taijitu.client.failures import ClientError, HandlerNotFound, NotFound, Unauthorized
from taijitu.client.fetching import fetch
from taijitu.client.holdings import Holdings
from taijitu.ipld.cid import CAR, Link, link_with
from taijitu.wire import sharded_index
from taijitu.wire.sharded_index import INDEX_SIZE_MAX, InvalidIndex

BEFORE: Final = timedelta(hours=1)
"""How long before an upload is noted its index is stored, at most: the service examines it, and the
shards, in between."""

ALL: Final = datetime.min.replace(tzinfo=UTC)

READ_MAX: Final = 4
"""Blobs of that time which are read to find an index, the latest first."""


class Removing:
    """Removes uploads of a space, of which it makes a list once, however many go."""

    def __init__(self, space: Holdings) -> None:
        self.space = space
        self.uses: defaultdict[bytes, set[Link]] = defaultdict(set)
        """The roots of the uploads that name a shard, by its multihash."""
        self.seen: set[Link] = set()
        self.blobs: dict[bytes, Blob] = {}
        self.cursor: str | None = None
        self.oldest: datetime | None = None
        """Up to when the blobs have been listed."""

    async def remove(self, root: Link | str) -> tuple[Removed, ...]:
        """What was let go of. Raises `NotFound`."""
        upload = await self.space.uploads.get(root)
        await self.look()
        others = [shard for shard in upload.shards if self.uses[shard.multihash] - {upload.root}]
        shards = [shard for shard in dict.fromkeys(upload.shards) if shard not in others]
        removed = [await self.let_go(shard) for shard in shards]
        index = await self.index_of(upload)
        if index is not None:
            removed.append(await self.space.blobs.remove(index))
        await self.space.uploads.remove(upload.root)
        self.seen.discard(upload.root)
        for shard in upload.shards:
            self.uses[shard.multihash].discard(upload.root)
        return tuple(removed)

    async def look(self) -> None:
        """See which uploads there are; later, which are new: they come first."""
        cursor, again = None, bool(self.seen)
        while (page := await self.space.uploads.page(cursor)).items:
            fresh = [each for each in page.items if each.root not in self.seen]
            for each in page.items:
                self.seen.add(each.root)
                for shard in each.shards:
                    self.uses[shard.multihash].add(each.root)
            if page.cursor in (None, cursor) or (again and not fresh):
                return
            cursor = page.cursor

    async def let_go(self, shard: Link) -> Removed:
        """A shard may have been stored as a CAR, by a client of another age."""
        removed = await self.space.blobs.remove(shard)
        if removed.size == 0:
            try:
                return await self.space.store.remove(shard)
            except (NotFound, HandlerNotFound, Unauthorized):
                pass  # it is not there, or not as that, or is not to be let go of by this agent
        return removed

    async def index_of(self, upload: Upload) -> Link | None:
        """The index of an upload, if it is found among what was stored just before that was noted:
        nothing that is stored names it."""
        noted = upload.inserted_at
        if noted is None:
            return None
        try:
            await self.look_at_blobs(noted - BEFORE)
        except (HandlerNotFound, Unauthorized):
            return None
        times = {
            each.digest: each.inserted_at for each in self.blobs.values() if self.is_loose(each)
        }
        before = [
            (at, digest) for digest, at in times.items() if at and noted - BEFORE <= at <= noted
        ]
        for _, digest in sorted(before, reverse=True)[:READ_MAX]:
            link = link_with(digest, CAR)
            if await self.is_index(link, upload.root):
                del self.blobs[digest]
                return link
        return None

    def is_loose(self, blob: Blob) -> bool:
        """Whether it could be an index: no upload names it."""
        return blob.size <= INDEX_SIZE_MAX and not self.uses.get(blob.digest)

    async def look_at_blobs(self, since: datetime) -> None:
        """See which blobs there are, the newest first, as far back as `since`."""
        while self.oldest is None or self.oldest > since:
            page = await self.space.blobs.page(self.cursor)
            self.blobs |= {each.digest: each for each in page.items}
            self.oldest = page.items[-1].inserted_at if page.items else None
            if self.oldest is None or page.cursor in (None, self.cursor):
                self.oldest = ALL
                return
            self.cursor = page.cursor

    async def is_index(self, link: Link, root: Link) -> bool:
        """Whether a blob is the index of some content. What cannot be read is not."""
        try:
            data = await fetch(self.space.session, link, INDEX_SIZE_MAX, ignore)
            return sharded_index.decode(data).content == root
        except (ClientError, InvalidIndex):
            return False
