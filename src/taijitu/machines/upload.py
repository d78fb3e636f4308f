"""`upload`: that in one space a root stands for some content, and which CARs (shards) hold it.

It is a note that clients leave for themselves. The shards need not be stored here, and removing
the note removes none of them: who holds which bytes is for `entry` to know.
"""

from typing import TypeAlias, assert_never

from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Message, Path
from taijitu.kernel.machine import Machine, State, Step, become, refuse, stay
from taijitu.kernel.receipt import Ok, failure

SHARDS_MAX = 5_000
"""How many shards one upload may have: about as many as one invocation can name (some 600 GB, as
clients cut them). All of them are written anew with each change."""


class Absent(State, tag="absent"):
    """The space has no such upload."""


class Listed(State, tag="listed"):
    """`cause` is the invocation by which it came into the list, `since` when that was and `updated`
    when shards were last added, in ms since 1970. `shards` are in order, each once."""

    space: str
    root: Link
    shards: tuple[Link, ...]
    cause: Link
    since: int
    updated: int


AnyState: TypeAlias = Absent | Listed


class Add(Message, tag="upload/add"):
    """A client notes an upload, or more shards of one."""

    invocation: Link
    space: str
    root: Link
    shards: tuple[Link, ...]


class Remove(Message, tag="upload/remove"):
    """A client forgets an upload."""


AnyMessage: TypeAlias = Add | Remove


def update(state: AnyState, message: AnyMessage) -> Step[AnyState]:
    match message, state:
        case Add(at, invocation, space, root, shards), Absent():
            return noted(state, Listed(space, root, in_order(shards), invocation, at, at))
        case Add(shards=shards), Listed(shards=held) if set(shards) <= set(held):
            return stay(state)
        case Add(at, shards=shards), Listed(space, root, held, cause, since):
            shards = in_order((*held, *shards))
            return noted(state, Listed(space, root, shards, cause, since, at))

        case Remove(), Listed(_, root, shards):
            return become(Absent(), reply=Ok({"root": root, "shards": list(shards)}))
        case Remove(), Absent():
            return refuse(state, NOT_FOUND)

        case _:
            assert_never((message, state))


def noted(before: AnyState, after: Listed) -> Step[AnyState]:
    fits = len(after.shards) <= SHARDS_MAX
    return become(after) if fits else refuse(before, TOO_MANY)


def in_order(shards: tuple[Link, ...]) -> tuple[Link, ...]:
    return tuple(sorted(set(shards)))


TOO_MANY = failure("TooManyShards", f"an upload has at most {SHARDS_MAX} shards")
NOT_FOUND = failure("NotFound", "not found")


def upload_at(space: str, root: Link) -> Path:
    return ("upload", space, str(root))


def lists(state: AnyState) -> tuple[str, ...]:
    match state:
        case Listed(space):
            return (list_of(space),)
        case Absent():
            return ()


def list_of(space: str) -> str:
    """The name of the list of a space's uploads."""
    return f"upload/{space}"


UPLOAD = Machine("upload", 1, update, Absent(), states=AnyState, messages=AnyMessage, lists=lists)
