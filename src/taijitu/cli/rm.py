"""`taijitu rm`: let go of uploads and CARs."""

import sys
from typing import TYPE_CHECKING

from taijitu.cli import words
from taijitu.cli.asking import Who, Whom, run

if TYPE_CHECKING:
    from taijitu.client import Client, Link
    from taijitu.client.removing import Removing


def rm(
    *cids: str,
    who: Who | None = None,
    whom: Whom | None = None,
    json: bool = False,
) -> int:
    """Remove uploads and CARs from a space, which gets their room back.

    Of an upload, the note, those of its shards that no other upload of the space has, and its
    index. The bytes are gone once no space holds them any more.

    The exit code is 1 if the space did not hold one of them; the others are removed all the same.

    Parameters
    ----------
    cids
        The CIDs of uploads, and the links of CARs, shards or indexes.
    json
        Print JSON, a line for each that was removed: {"link", "size"}.
    """
    from taijitu.cli.trouble import Misuse

    if not cids:
        raise Misuse("which? Name the link of a CAR; `taijitu ls` lists them")

    async def remove(client: "Client") -> int:
        from taijitu.client import NotFound
        from taijitu.client.store import link_of

        missing, removing = 0, client.space.removing()
        for link in [link_of(cid) for cid in cids]:
            try:
                size = await remove_one(client, removing, link)
            except NotFound as why:
                print(f"taijitu: {why}", file=sys.stderr)
                missing += 1
                continue
            if json:
                words.print_json({"link": str(link), "size": size})
            else:
                told = "" if size is None else f", {words.size(size)}"
                print(f"removed {link}{told}")
        return 1 if missing else 0

    return run(remove, whom or Whom(), who or Who())


async def remove_one(client: "Client", removing: "Removing", link: "Link") -> int | None:
    """Bytes that the space got back, if the service says so. Raises `NotFound`."""
    from taijitu.ipld.cid import CAR

    if link.codec == CAR:
        return await remove_car(client, link)
    return sum([each.size or 0 for each in await removing.remove(link)])


async def remove_car(client: "Client", link: "Link") -> int | None:
    """A CAR is stored as that, or as a blob."""
    from taijitu.client import HandlerNotFound, NotFound, Unauthorized

    try:
        return (await client.store.remove(link)).size
    except (HandlerNotFound, NotFound, Unauthorized):
        removed = await client.blobs.remove(link)
        if not removed.size:
            raise
        return removed.size
