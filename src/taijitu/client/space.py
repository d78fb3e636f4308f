"""What an agent can do in one space."""

from typing import TYPE_CHECKING, Final

from taijitu.client.answers import Put, Removed
from taijitu.client.holdings import Holdings
from taijitu.ipld.cid import Link

if TYPE_CHECKING:
    from taijitu.client.files import CarSource, Files
    from taijitu.client.removing import Removing
    from taijitu.client.sending import Told

AT_ONCE: Final = 3
"""Shards that are sent at once."""


def unseen(_: object) -> None:
    """Progress that nobody watches."""


class Space(Holdings):
    """What an agent can do in one space: with its files as a whole, or with each kind of thing that
    it keeps."""

    async def put(
        self,
        source: "Files",
        *,
        hidden: bool = False,
        at_once: int = AT_ONCE,
        progress: "Told | None" = None,
    ) -> Put:
        """Store a file, a folder, several of both, the bytes of a file, or a stream of them, and
        note it as an upload. `root` of the answer is its CID.

        What is stored already is not sent again: to go on after something broke, say the same
        again. In folders, names that begin with a dot are left out unless they are `hidden`, and
        links always. Raises `Unusable`, `Refused`, `Unavailable` and the rest.
        """
        from taijitu.client import files  # noqa: PLC0415  whoever does not pack needs none of it

        told = progress or unseen
        return await files.put(self, source, hidden=hidden, at_once=max(1, at_once), progress=told)

    async def put_car(
        self, source: "CarSource", *, at_once: int = AT_ONCE, progress: "Told | None" = None
    ) -> Put:
        """Store the blocks of a CAR as the published client does, cut into shards, and note an
        upload of its (first) root. Raises as `put`; `store.add` stores a CAR as it is."""
        from taijitu.client import files  # noqa: PLC0415

        told = progress or unseen
        return await files.put_car(self, source, at_once=max(1, at_once), progress=told)

    async def remove(self, root: Link | str) -> tuple[Removed, ...]:
        """Forget an upload, and let go of its shards, but of none that another upload of the space
        has, too, and of its index. Raises `NotFound`.

        Whoever puts something with the same shard meanwhile may find that gone: see `Removing`,
        which also makes the list of other uploads once for several.
        """
        return await self.removing().remove(root)

    def removing(self) -> "Removing":
        """Removes uploads, one after the other."""
        from taijitu.client.removing import Removing  # noqa: PLC0415

        return Removing(self)
