"""`taijitu rm`: let go of uploads and CARs."""

import sys
from typing import TYPE_CHECKING

from taijitu.cli import words
from taijitu.cli.asking import Who, Whom, run

if TYPE_CHECKING:
    from taijitu.client import Client, Link


def rm(
    *cids: str,
    who: Who | None = None,
    whom: Whom | None = None,
    json: bool = False,
) -> int:
    """Remove uploads and CARs from a space, which gets their room back.

    Of an upload, the note and those of its shards that no other upload of the space has; its index,
    a few bytes for each block, stays. The bytes are gone once no space holds them any more.

    The exit code is 1 if the space did not hold one of them; the others are removed all the same.

    Parameters
    ----------
    cids
        The CIDs of uploads, and the links of CARs.
    json
        Print JSON, a line for each that was removed: {"link", "size"}.
    """
    from taijitu.cli.trouble import Misuse

    if not cids:
        raise Misuse("which? Name the link of a CAR; `taijitu ls` lists them")

    async def remove(client: "Client") -> int:
        from taijitu.client import NotFound
        from taijitu.client.store import link_of

        missing = 0
        for link in [link_of(cid) for cid in cids]:
            try:
                size = await remove_one(client, link)
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


async def remove_one(client: "Client", link: "Link") -> int | None:
    """Bytes that the space got back, if the service says so. Raises `NotFound`."""
    from taijitu.ipld.cid import CAR

    if link.codec == CAR:
        return (await client.store.remove(link)).size
    removed = await client.space.remove(link)
    return sum([each.size or 0 for each in removed])
