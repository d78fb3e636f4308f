"""`taijitu rm`: let go of CARs."""

import sys
from typing import TYPE_CHECKING

from taijitu.cli import words
from taijitu.cli.asking import Who, Whom, run

if TYPE_CHECKING:
    from taijitu.client import Client


def rm(
    *links: str,
    who: Who | None = None,
    whom: Whom | None = None,
    json: bool = False,
) -> int:
    """Remove CARs from a space, which gets their room back.

    The bytes are gone once no space holds them any more. The exit code is 1 if the space did not
    hold one of them; the others are removed all the same.

    Parameters
    ----------
    links
        The links of the CARs.
    json
        Print JSON, a line for each that was removed: {"link", "size"}.
    """
    from taijitu.cli.trouble import Misuse

    if not links:
        raise Misuse("which? Name the link of a CAR; `taijitu ls` lists them")

    async def remove(client: "Client") -> int:
        from taijitu.client import NotFound
        from taijitu.client.store import link_of

        known = [link_of(link) for link in links]
        missing = 0
        for link in known:
            try:
                removed = await client.store.remove(link)
            except NotFound as why:
                print(f"taijitu: {why}", file=sys.stderr)
                missing += 1
                continue
            if json:
                words.print_json({"link": str(link), "size": removed.size})
            else:
                size = "" if removed.size is None else f", {words.size(removed.size)}"
                print(f"removed {link}{size}")
        return 1 if missing else 0

    return run(remove, whom or Whom(), who or Who())
