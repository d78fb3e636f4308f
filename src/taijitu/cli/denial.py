"""`taijitu block`, `unblock` and `blocked`: what the service must not give out."""

from collections.abc import Sequence
from typing import Any

from taijitu.cli import words


def block(cid: str, /, *, why: str = "", json: bool = False) -> None:
    """Give out no more what a CID names.

    It is about bytes, by whatever CID they are asked for (block the one with the SHA-256; another
    hash is blocked alone): the answer is 410, and a larger answer that would hold them ends before
    they come. Blocking a CAR ends its download, and the gateway
    gives out nothing that lies in it alone. Blocking the root of a file or a directory hides that
    root: what is below opens by CIDs of its own, and the CAR in which all of it lies is still
    downloaded. So the stored objects that hold what you block are listed, to be blocked as well.

    Nothing is deleted, and what is not stored can be blocked too. Browsers and caches keep what
    they have for up to a year: purge those that are yours. Works while the service runs, and also
    when it does not.

    Parameters
    ----------
    cid
        What to block.
    why
        A reason, for those who list what is blocked. The public is not told.
    json
        Print JSON: {"cid", "why", "since", "also_in"}: since in ms, the CIDs of objects.
    """
    from taijitu.cli.reach import ask

    found = ask("deny", cid=cid, why=why)
    if json:
        words.print_json(found)
    else:
        print(f"{found['cid']} is not given out.{elsewhere(found['also_in'])}")


def elsewhere(objects: Sequence[str]) -> str:
    """What is said about stored objects that hold the same bytes."""
    if not objects:
        return ""
    number = words.count(len(objects), "stored object", "stored objects")
    text = (
        f"It also lies in {number}. Whoever knows the CID of one can download it: to end that, too,"
    )
    return "\n".join(["", text, *(f"  taijitu block {each}" for each in objects)])


def unblock(cid: str, /, *, json: bool = False) -> None:
    """Give out again what a CID names.

    Parameters
    ----------
    cid
        What to unblock: any CID of the same bytes.
    json
        Print JSON: {"cid", "denied"}, where denied tells whether it was blocked.
    """
    from taijitu.cli.reach import ask

    found = ask("allow", cid=cid)
    if json:
        words.print_json(found)
    else:
        print(f"{cid} {'is given out again' if found['denied'] else 'was not blocked'}.")


def blocked(*, json: bool = False) -> None:
    """List what is not given out, the newest first.

    Parameters
    ----------
    json
        Print JSON: a list of {"cid", "why", "since"}, since in ms.
    """
    from taijitu.cli.reach import ask

    found = ask("denied")
    if json:
        words.print_json(found)
    elif found:
        print("\n".join(line(each) for each in found))
    else:
        print("Nothing is blocked. `taijitu block CID` would.")


def line(denial: dict[str, Any]) -> str:
    """One of them, for people."""
    why = f"  {denial['why']}" if denial["why"] else ""
    return f"{denial['cid']}  {words.moment(denial['since'])}{why}"
