"""`contents`: which blocks lie in bytes that came as a CAR, and that no index describes.

`store/add` brings CARs without a word about what is in them. Each is looked through once, however
many spaces hold it; where its blocks lie is written down beside this machine, as facts about bytes,
no later than it hears of it. A long CAR takes several tasks, each of which begins where the last
one left off. When the bytes are swept, so is what was known of them.
"""

from typing import Final, TypeAlias, assert_never

from taijitu.kernel.effect import Await, Effect, Message, Path, Request, Task, send
from taijitu.kernel.machine import Machine, State, Step, amend, become, stay
from taijitu.kernel.record import Record

LOOK: Final = 1
"""The version of those who look. It grows when a limit does, when a hash becomes known or a bug is
mended: then what they refused or left out before is looked through once more."""


class Tally(Record):
    """How far somebody has looked: blocks are known up to the byte `start`, and there may be some
    up to `end` (0: nobody has looked yet). `size` is the bytes of all `blocks` so far; of them,
    `left_out` cannot be looked up: nobody can check their hashes, or they are too large."""

    start: int = 0
    end: int = 0
    blocks: int = 0
    size: int = 0
    roots: int = 0
    left_out: int = 0


class Unread(State, tag="unread"):
    """Nobody wants to know."""


class Reading(State, tag="reading"):
    """Somebody looks through the bytes. `asked_again`: they were asked for once more meanwhile."""

    multihash: str
    tally: Tally
    asked_again: bool = False


class Read(State, tag="read"):
    """It is known where each block lies. `size` is the bytes of all of them, `look` the version of
    who looked."""

    blocks: int
    size: int
    roots: int
    left_out: int
    look: int = 0


class Refused(State, tag="refused"):
    """The bytes are no CAR, or not what it says. Blocks before the flaw are known. `look` is the
    version of who refused."""

    why: str
    look: int = 0


AnyState: TypeAlias = Unread | Reading | Read | Refused


class Describe(Request, tag="contents/describe"):
    """A space stores these bytes as a CAR, and they are here."""

    actor, machine, key = "contents", "contents", ("multihash",)
    multihash: str


class Forget(Request, tag="contents/forget"):
    """The bytes are being deleted."""

    actor, machine, key = "contents", "contents", ("multihash",)
    multihash: str


class Find(Message, tag="contents/find"):
    """All blocks up to `tally.start` are written down."""

    tally: Tally


class Refuse(Message, tag="contents/refuse"):
    """There is no CAR. `gone`: there is nothing at all."""

    why: str
    gone: bool


AnyMessage: TypeAlias = Describe | Forget | Find | Refuse


class Scan(Task, tag="contents/scan"):
    """Go on looking through a CAR, and write down where its blocks lie: `ok {tally}`, or
    `error {name, message, gone}`."""

    actor, queues = "scanner", True
    multihash: str
    tally: Tally


def update(state: AnyState, message: AnyMessage) -> Step[AnyState]:
    match message, state:
        case Describe(multihash), Unread():
            return look(Reading(multihash, Tally()))
        case Describe(), Reading(multihash, tally, False):
            return amend(Reading(multihash, tally, True))
        case Describe(multihash), Read() | Refused() if may_hold_more(state):
            return look(Reading(multihash, Tally()))
        case Describe(), Reading() | Read() | Refused():
            return stay(state)

        case Find(_, tally), Reading():
            return found(state, tally)
        case Find(), Unread() | Read() | Refused():
            return stay(state)

        case Refuse(_, _, True), Reading(multihash, asked_again=again):
            return look(Reading(multihash, Tally())) if again else become(Unread())
        case Refuse(_, why), Reading():
            return become(Refused(why, LOOK))
        case Refuse(), Unread() | Read() | Refused():
            return stay(state)

        case Forget(), Reading() | Read() | Refused():
            return become(Unread())
        case Forget(), Unread():
            return stay(state)

        case _:
            assert_never((message, state))


def may_hold_more(state: Read | Refused) -> bool:
    """Whether we might find more than those who looked."""
    lacks = isinstance(state, Refused) or state.left_out > 0
    return lacks and state.look < LOOK


def look(state: Reading) -> Step[AnyState]:
    return become(state, *scan(state.multihash, state.tally))


def scan(multihash: str, tally: Tally) -> tuple[Effect, ...]:
    """Exactly one of these reaches its end."""
    seen = Scan(multihash, tally)
    return (
        seen >> send(Find, tally=Await(seen, "tally")),
        ~seen >> send(Refuse, why=Await(seen, "message"), gone=Await(seen, "gone")),
    )


def found(state: Reading, tally: Tally) -> Step[AnyState]:
    """Whoever comes no further is not asked for ever."""
    if tally.start >= tally.end:
        return become(Read(tally.blocks, tally.size, tally.roots, tally.left_out, LOOK))
    if tally.start <= state.tally.start:
        return become(Refused(f"nobody comes further than byte {tally.start}", LOOK))
    return look(Reading(state.multihash, tally, state.asked_again))


def contents_at(multihash: str) -> Path:
    return ("contents", multihash)


CONTENTS = Machine(
    "contents", 1, update, Unread(), states=AnyState, messages=AnyMessage, tasks=Scan
)
