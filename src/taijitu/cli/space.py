"""`taijitu space`: who may store here, and how much they do."""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter, Token

from taijitu.cli import words


def read_size(_: object, tokens: Sequence[Token]) -> int:
    """A number of bytes, as settings have it. Raises `ValueError`, in words."""
    from taijitu.server.settings import BadSetting, size

    try:
        return size(tokens[0].value)
    except BadSetting as why:
        raise ValueError(f"{tokens[0].value!r} {why}") from None


def provision(
    did: str,
    /,
    *,
    capacity: Annotated[int | None, Parameter(converter=read_size, n_tokens=1)] = None,
    json: bool = False,
) -> None:
    """Give a space room, now and from now on.

    A space that has room already gets this much instead. Works while the service runs, and also
    when it does not.

    Parameters
    ----------
    did
        The space, a did:key.
    capacity
        Bytes, or a size such as 500MB or 10GiB. Default: TAIJITU_SPACE_CAPACITY.
    json
        Print JSON.
    """
    from taijitu.cli.reach import ask

    size = usual_capacity() if capacity is None else capacity
    show(ask("provision", writes=True, space=did, capacity=size), json)


def all_spaces(*, json: bool = False) -> None:
    """List the spaces that have room here, ordered by DID.

    Parameters
    ----------
    json
        Print JSON: a list of what `taijitu space info --json` prints.
    """
    from taijitu.cli.reach import ask

    found = ask("spaces")
    if json:
        words.print_json(found)
    elif found:
        print("\n".join(line for space in found for line in in_list(space)))
    else:
        print("No space has room here yet. `taijitu space provision DID` gives one some.")


def info(did: str, /, *, json: bool = False) -> None:
    """Show how much one space may hold, and does.

    Parameters
    ----------
    did
        The space, a did:key.
    json
        Print JSON: {"space", "capacity", "reserved", "used", "entries"}, sizes in bytes, and
        "blocked": true if it is.
    """
    from taijitu.cli.reach import ask

    show(ask("space", space=did), json)


def block(did: str, /, *, json: bool = False) -> None:
    """Let nothing new into a space.

    Adds are refused from now on. What the space holds stays and can be removed, and read with
    signed URLs; nothing is given to the public that only blocked spaces hold. An upload that was
    let in before may end. Works for spaces that nobody knows yet, too.

    Parameters
    ----------
    did
        The space, a did:key.
    json
        Print JSON, as `taijitu space info --json`.
    """
    from taijitu.cli.reach import ask

    show(ask("block", space=did), json)


def unblock(did: str, /, *, json: bool = False) -> None:
    """Let a blocked space in again, with the room that it had.

    Parameters
    ----------
    did
        The space, a did:key.
    json
        Print JSON, as `taijitu space info --json`; only {"space"} if it has no room here.
    """
    from taijitu.cli.reach import ask

    found = ask("unblock", space=did)
    if json:
        words.print_json(found)
    elif "capacity" in found:
        print(described(found))
    else:
        print(f"{did} is not blocked, and never had room here.")


def usual_capacity() -> int:
    """Bytes that a space gets where nothing else is said."""
    from taijitu.server import config as configuration

    return configuration.load().config.space_capacity


def show(space: dict[str, Any], json: bool) -> None:
    if json:
        words.print_json(space)
    else:
        print(described(space))


def described(space: dict[str, Any]) -> str:
    """A space for people, over several lines."""
    free = free_in(space)
    text = words.columns(
        [
            ("space", space["space"]),
            ("capacity", words.size(space["capacity"])),
            ("used", f"{words.size(space['used'])} by {entries(space)}"),
            ("reserved", f"{words.size(space['reserved'])} for uploads under way"),
            ("free", words.size(max(0, free))),
        ]
    )
    if space.get("blocked"):
        text += "\n\nIt is blocked: what it holds stays, and nothing new is let in."
    elif free < 0:
        text += (
            f"\n\nIt holds {words.size(-free)} more than that already: nothing is lost, and "
            "nothing new fits."
        )
    return text


def in_list(space: dict[str, Any]) -> tuple[str, str]:
    """A space for people, on two lines."""
    held = f"  {words.size(space['used'])} of {words.size(space['capacity'])}"
    reserved = f", {words.size(space['reserved'])} reserved" if space["reserved"] else ""
    blocked = " · blocked" if space.get("blocked") else ""
    return space["space"], f"{held}{reserved} · {entries(space)}{blocked}"


def entries(space: dict[str, Any]) -> str:
    return words.count(space["entries"], "entry", "entries")


def free_in(space: dict[str, Any]) -> int:
    """Bytes; below zero when the capacity was lowered below what the space holds."""
    return space["capacity"] - space["used"] - space["reserved"]
