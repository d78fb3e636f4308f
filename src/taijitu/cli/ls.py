"""`taijitu ls`: what a space holds."""

import sys
from typing import TYPE_CHECKING

from taijitu.cli import words
from taijitu.cli.asking import Who, Whom, run

if TYPE_CHECKING:
    from taijitu.client import Client, Item


def ls(*, who: Who | None = None, whom: Whom | None = None, json: bool = False) -> None:
    """List the CARs of a space, the newest first.

    One a line: the link, the size, and since when the space has it.

    Parameters
    ----------
    json
        Print JSON, a line for each: {"link", "size", "insertedAt", "origin"}.
    """

    async def tell(client: "Client") -> None:
        space = client.space
        found = False
        async for page in space.store.pages():
            found = True
            for item in page.items:
                words.print_json(as_json(item)) if json else print(as_line(item))
        if not found and not json:
            print(f"{space.did} holds nothing.", file=sys.stderr)

    run(tell, whom or Whom(), who or Who())


def as_json(item: "Item") -> dict[str, object]:
    return {
        "link": str(item.link),
        "size": item.size,
        "insertedAt": item.inserted_at and item.inserted_at.isoformat(),
        "origin": item.origin and str(item.origin),
    }


def as_line(item: "Item") -> str:
    since = f"{item.inserted_at:%Y-%m-%d %H:%M}" if item.inserted_at else ""
    return f"{item.link}  {words.size(item.size):>9}  {since}".rstrip()
