"""`index`: that one space holds an index of some content, and that what it says is true.

An index says in which CARs of the space (shards) the blocks of some content lie, and where. It is
believed once somebody has looked: it can be read, its shards are stored in the space, and the
bytes at every slice are those that it names. To look takes long; what was found to be true is
written down beside this machine, as facts about bytes, before it hears `Know`.
"""

from typing import TypeAlias, assert_never

from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Await, Effect, Message, Path, Task, send
from taijitu.kernel.machine import Machine, State, Step, amend, become, stay


class Absent(State, tag="absent"):
    """The space has no such index."""


class Examining(State, tag="examining"):
    """Somebody looks whether it is true, for the invocation `cause`. `content` is what it was known
    to be about before; `asked_again`: somebody else has asked meanwhile."""

    space: str
    multihash: str
    cause: Link
    content: Link | None = None
    asked_again: Link | None = None


class Known(State, tag="known"):
    """It is true, as of `since` (ms since 1970): `slices` places in `shards` CARs."""

    space: str
    multihash: str
    cause: Link
    content: Link
    shards: int
    slices: int
    since: int


class Refused(State, tag="refused"):
    """It was not true, or no index. `digest` is the multihash of the bytes that are at fault."""

    space: str
    multihash: str
    cause: Link
    name: str
    why: str
    digest: bytes


AnyState: TypeAlias = Absent | Examining | Known | Refused


class Add(Message, tag="index/add"):
    """A client says that some bytes of a space are an index."""

    invocation: Link
    space: str
    multihash: str


class Know(Message, tag="index/know"):
    """All of it is true, and written down."""

    content: Link
    shards: int
    slices: int


class Refuse(Message, tag="index/refuse"):
    """It is not true, or no index."""

    name: str
    why: str
    digest: bytes


AnyMessage: TypeAlias = Add | Know | Refuse


class Examine(Task, tag="index/examine"):
    """Look whether an index is true, and write down what it says: `ok {content, shards, slices}`,
    or `error {name, message, digest}`. What was found out before is not looked at again."""

    actor = "indexer"
    space: str
    multihash: str


def update(state: AnyState, message: AnyMessage) -> Step[AnyState]:
    match message, state:
        case Add(_, invocation), Known(cause=cause) | Refused(cause=cause) if invocation == cause:
            return stay(state)
        case Add(_, invocation, space, multihash), Absent() | Refused():
            return examine(Examining(space, multihash, invocation))
        case Add(_, invocation), Known(space, multihash, _, content):
            return examine(Examining(space, multihash, invocation, content))
        case Add(_, invocation), Examining(cause=cause, asked_again=again):
            return stay(state) if invocation in (cause, again) else ask_again(state, invocation)

        case Know(at, content, shards, slices), Examining(space, multihash, cause, _, again):
            cause = again or cause
            return become(Known(space, multihash, cause, content, shards, slices, at))
        case Know(), Absent() | Known() | Refused():
            return stay(state)

        case Refuse(), Examining(asked_again=again):
            return refused(state, message) if again is None else look_again(state, again)
        case Refuse(), Absent() | Known() | Refused():
            return stay(state)

        case _:
            assert_never((message, state))


def examine(state: Examining) -> Step[AnyState]:
    return become(state, *look(state.space, state.multihash))


def look(space: str, multihash: str) -> tuple[Effect, ...]:
    """Exactly one of these reaches its end."""
    seen = Examine(space, multihash)
    return (
        seen
        >> send(
            Know,
            content=Await(seen, "content"),
            shards=Await(seen, "shards"),
            slices=Await(seen, "slices"),
        ),
        ~seen
        >> send(
            Refuse,
            name=Await(seen, "name"),
            why=Await(seen, "message"),
            digest=Await(seen, "digest"),
        ),
    )


def refused(state: Examining, message: Refuse) -> Step[AnyState]:
    space, multihash, cause = state.space, state.multihash, state.cause
    return become(Refused(space, multihash, cause, message.name, message.why, message.digest))


def look_again(state: Examining, again: Link) -> Step[AnyState]:
    return examine(Examining(state.space, state.multihash, again, state.content))


def ask_again(state: Examining, invocation: Link) -> Step[AnyState]:
    """Whoever asks while somebody looks is content with a yes. A no may be about a time before
    he asked, and so somebody looks once more."""
    space, multihash, cause, content = state.space, state.multihash, state.cause, state.content
    return amend(Examining(space, multihash, cause, content, invocation))


def index_at(space: str, multihash: str) -> Path:
    return ("index", space, multihash)


def lists(state: AnyState) -> tuple[str, ...]:
    """What is known stands with its content, also while it is looked at once more."""
    match state:
        case Known(content=content) | Examining(content=Link() as content):
            return (list_of(content),)
        case Absent() | Examining() | Refused():
            return ()


def list_of(content: Link) -> str:
    """The name of the list of what indexes some content, whatever its codec and its space."""
    return f"index/{content.multihash.hex()}"


INDEX = Machine(
    "index",
    1,
    update,
    Absent(),
    states=AnyState,
    messages=AnyMessage,
    tasks=Examine,
    lists=lists,
)
