"""`taijitu block`, `unblock` and `blocked`: what the service must not give out."""

from typing import Any

from taijitu.cli import words


def block(cid: str, /, *, why: str = "", json: bool = False) -> None:
    """Give out no more what a CID names.

    It is about bytes: whatever holds the block, and by whatever CID they are asked for, the answer
    is 410. To keep a whole directory or file from people it is enough to block its root; a block
    in the midst of others also ends the answers that would hold it. Blocking the CID of a CAR
    ends its download. Nothing is deleted, and what is not stored can be blocked too. Works while
    the service runs, and also when it does not.

    Parameters
    ----------
    cid
        What to block.
    why
        A reason, for those who list what is blocked. The public is not told.
    json
        Print JSON: {"cid", "why", "since"}, since in ms.
    """
    from taijitu.cli.reach import ask

    found = ask("deny", writes=True, cid=cid, why=why)
    if json:
        words.print_json(found)
    else:
        print(f"{found['cid']} is not given out.")


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

    found = ask("allow", writes=True, cid=cid)
    if json:
        words.print_json(found)
    else:
        print(f"{cid} {'is given out again' if found['denied'] else 'was not blocked'}.")


def blocked(*, json: bool = False) -> None:
    """List what is not given out, the newest first.

    Parameters
    ----------
    json
        Print JSON: a list of what `taijitu block --json` prints.
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
