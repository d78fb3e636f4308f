"""`taijitu tree`: everything in a folder and below."""

from typing import TYPE_CHECKING

from taijitu.cli import words
from taijitu.cli.asking import Who, Whom, has_key, run

if TYPE_CHECKING:
    from taijitu.client import Client
    from taijitu.client.contents import Stat

INDENT = "  "


def tree(
    path: str,
    /,
    *,
    who: Who | None = None,
    whom: Whom | None = None,
    json: bool = False,
) -> None:
    """Show everything at CID or CID/path and below, without fetching the files themselves.

    Parameters
    ----------
    path
        CID, or CID/path.
    json
        Print JSON, a line for each: {"path", "kind", "cid", "size", "target"}; "target" of a
        symlink.
    """

    async def show(client: "Client") -> None:
        async for each in client.contents.tree(path):
            words.print_json(as_json(each)) if json else print(as_line(each))

    run(show, whom or Whom(), who or Who() if has_key(who or Who()) else None)


def as_json(each: "Stat") -> dict[str, object]:
    return {
        "path": words.text(each.name),
        "kind": each.kind,
        "cid": str(each.link),
        "size": each.size,
        "target": each.target,
    }


def as_line(each: "Stat") -> str:
    if not each.name:
        return str(each.link)
    name = words.printable(words.text(each.name.rpartition("/")[2]))
    depth = each.name.count("/") + 1
    match each.kind:
        case "folder":
            name += "/"
        case "symlink":
            name += f" -> {words.printable(each.target or '')}"
        case _:
            name += f"  {words.size(each.size or 0)}"
    return INDENT * depth + name
