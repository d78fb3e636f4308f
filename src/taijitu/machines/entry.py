"""`entry`: how one space comes to hold some bytes. The machine this project began with.

Pure and total: `update` may run again after a lost race, so it only computes; and every message
has an answer in every state. Late messages never get here: a plan is heard only while it is the
entry's current plan. An entry is held through faces (`store/*`, `space/blob/*`): the same bytes
added through both are stored once and charged once, and given up when the last face lets go.
"""

from typing import Literal, TypeAlias, assert_never

from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Await, Effect, Message, Path, send
from taijitu.kernel.machine import Machine, State, Step, amend, become, refuse, stay
from taijitu.kernel.receipt import Error, Ok, failure
from taijitu.kernel.record import Record
from taijitu.machines.allocation import Allocate, Commit, Release
from taijitu.machines.blob import Expose, Sweep
from taijitu.machines.contents import Describe
from taijitu.machines.world import Alarm, Presign, Sleep, Stat, Upload

ACTIVE_MS_MAX = 60_000
"""How long an entry may look for room and bytes before it gives up."""

FACES_MAX = 16
"""How often a face may stand in one entry."""

FaceName = Literal["store", "blob"]


class Attempt(Record):
    """One try at storing something, named by the invocation that opened it. `size` in bytes."""

    id: Link
    number: int
    space: str
    multihash: str
    agent: str
    size: int


class Face(Record):
    """A door through which the entry came in. `since` in ms since 1970."""

    name: FaceName
    cause: Link
    since: int
    origin: Link | None = None


# States: where we are


class Absent(State, tag="absent"):
    """Nobody holds these bytes here. `number` is that of the last attempt."""

    number: int = 0


class Active(State, tag="active"):
    """Asking for room, and whether we already hold the bytes. No longer than `deadline`."""

    attempt: Attempt
    faces: tuple[Face, ...]
    deadline: int
    closes: int = 0


class Receiving(State, tag="receiving"):
    """Room is set aside; waiting for the client to put the bytes at `url`, before `expires`.

    A PUT that began in time is over by `closes`. Times in ms since 1970.
    """

    attempt: Attempt
    faces: tuple[Face, ...]
    url: str
    headers: dict[str, str]
    since: int
    expires: int
    closes: int


class Stored(State, tag="stored"):
    """The bytes are here and the room is in use."""

    attempt: Attempt
    faces: tuple[Face, ...]
    closes: int = 0


class Failed(State):
    """Not stored, for whatever reason. `store/add` starts again from here."""

    attempt: Attempt


class ExceedsLimit(Failed, tag="exceeds-limit"):
    """The space has no room."""

    why: str


class Expired(Failed, tag="expired"):
    """There was room, but the bytes did not come in time."""


class SizeMismatch(Failed, tag="size-mismatch"):
    """The bytes are not as many as was said."""

    found: int


class Unavailable(Failed, tag="unavailable"):
    """We could not find out in time whether there is room."""

    why: str


class Lost(Failed, tag="lost"):
    """The bytes were here, and are no longer."""

    why: str


AnyState: TypeAlias = (
    Absent
    | Active
    | Receiving
    | Stored
    | ExceedsLimit
    | Expired
    | SizeMismatch
    | Unavailable
    | Lost
)


# Messages: what may happen to us


class Add(Message, tag="store/add"):
    """A client asks us to store something, through a face."""

    invocation: Link
    space: str
    multihash: str
    agent: str
    size: int
    face: FaceName = "store"
    origin: Link | None = None
    cause: Link | None = None
    """Whose wish it is, if the invocation only carries out another: the face names that one."""


class Exceed(Message, tag="store/exceed"):
    """The space has no room for it."""

    why: str


class Receive(Message, tag="store/receive"):
    """There is room, and the bytes are to come."""

    url: str
    headers: dict[str, str]
    expires: int
    closes: int


class Put(Message, tag="store/put"):
    """The bytes are here."""

    size: int


class Expire(Message, tag="store/expire"):
    """The bytes did not come, and no longer can."""


class Fail(Message, tag="store/fail"):
    """We could not find out, or the bytes were lost."""

    why: str


class Remove(Message, tag="store/remove"):
    """A client lets go of it, through a face."""

    face: FaceName = "store"


AnyMessage: TypeAlias = Add | Exceed | Receive | Put | Expire | Fail | Remove
AnyTask: TypeAlias = (
    Allocate
    | Commit
    | Release
    | Expose
    | Sweep
    | Describe
    | Stat
    | Presign
    | Upload
    | Sleep
    | Alarm
)


# The machine


def update(state: AnyState, message: AnyMessage) -> Step[AnyState]:
    match message, state:
        case Add(), Absent(number):
            return begin(message, number + 1)
        case Add(), Failed():
            return begin(message, state.attempt.number + 1)
        case Add(), Active(attempt) | Receiving(attempt) if message.size != attempt.size:
            return refuse(state, other_size(attempt.size))
        case Add(at), Receiving(_, _, _, _, since, expires) if nearly_over(at, since, expires):
            return renew(state, message)
        case Add(), Active() | Receiving() | Stored():
            return join(state, message)

        case Exceed(at, why), Active(attempt, _, _, closes):
            return become(ExceedsLimit(attempt, why), turn_away(attempt, closes, at))
        case Exceed(), Absent() | Receiving() | Stored() | Failed():
            return stay(state)

        case Receive(at, url, headers, expires, closes), Active(attempt, faces, _, before):
            closes = max(closes, before)
            receiving = Receiving(attempt, faces, url, headers, at, expires, closes)
            return become(receiving, *receive(attempt, closes))
        case Receive(), Absent() | Receiving() | Stored() | Failed():
            return stay(state)

        case Put(at, size), (Active() | Receiving()) if size != state.attempt.size:
            mismatch = SizeMismatch(state.attempt, size)
            return become(mismatch, give_up(state.attempt, state.closes, at))
        case Put(), Active(attempt, faces) | Receiving(attempt, faces):
            return become(Stored(attempt, faces, state.closes), *keep(attempt, faces))
        case Put(), Absent() | Stored() | Failed():
            return stay(state)

        case Expire(at), Receiving(attempt, closes=closes):
            return become(Expired(attempt), give_up(attempt, closes, at))
        case Expire(), Absent() | Active() | Stored() | Failed():
            return stay(state)

        case Fail(at, why), Active(attempt, _, _, closes):
            return become(Unavailable(attempt, why), give_up(attempt, closes, at))
        case Fail(at, why), Stored(attempt, _, closes):
            return become(Lost(attempt, why), give_up(attempt, closes, at), alarm(attempt, why))
        case Fail(), Absent() | Receiving() | Failed():
            return stay(state)

        case Remove(), Absent():
            return refuse(state, NOT_FOUND)
        case Remove(), Failed():
            absent = Absent(state.attempt.number)
            return become(absent, reply=Ok({"size": state.attempt.size}))
        case Remove(), Active() | Receiving() | Stored():
            return let_go(state, message)

        case _:
            assert_never((message, state))


# Plans: what we ask for on the way


def place(attempt: Attempt, deadline: int) -> tuple[Effect, ...]:
    """Exactly one of these reaches its end. `Allocate` and `Stat` each run once."""
    room = Allocate(attempt.space, attempt.multihash, attempt.id, attempt.number, attempt.size)
    bytes_here = Stat(attempt.multihash)
    address = Presign(attempt.multihash, attempt.size)
    return (
        ~room >> send(Exceed, why=Await(room, "message")),
        room >> bytes_here >> send(Put, size=Await(bytes_here, "size")),
        room
        >> ~bytes_here
        >> address
        >> send(
            Receive,
            url=Await(address, "url"),
            headers=Await(address, "headers"),
            expires=Await(address, "expires"),
            closes=Await(address, "closes"),
        ),
        Sleep(deadline) >> send(Fail, why="no answer about room and bytes in time"),
    )


def receive(attempt: Attempt, closes: int) -> tuple[Effect, ...]:
    """A race, settled by the state. We look once more before we say that the bytes never came."""
    upload, bytes_here = Upload(attempt.agent, attempt.multihash), Stat(attempt.multihash)
    return (
        Expose(attempt.multihash, closes),
        upload >> send(Put, size=Await(upload, "size")),
        Sleep(closes) >> bytes_here >> send(Put, size=Await(bytes_here, "size")),
        Sleep(closes) >> ~bytes_here >> send(Expire),
    )


def keep(attempt: Attempt, faces: tuple[Face, ...]) -> tuple[Effect, ...]:
    """The room is in use. What no index tells of, somebody has to find out."""
    used = Commit(attempt.space, attempt.multihash, attempt.id, attempt.number)
    return (used, Describe(attempt.multihash)) if undescribed(attempt, faces) else (used,)


def give_up(attempt: Attempt, closes: int, at: int) -> Effect:
    """The room is free at once; the bytes are swept when no URL can bring them any more.

    The sweep knows that `at` has passed too: bytes may have come by a URL of an earlier attempt.
    """
    sweep = Sweep(attempt.multihash, max(closes, at))
    return release(attempt) >> Sleep(closes) >> sweep


def turn_away(attempt: Attempt, closes: int, at: int) -> Effect:
    """As `give_up`; but who had neither room nor a URL leaves nothing behind to sweep."""
    return give_up(attempt, closes, at) if closes else release(attempt)


def release(attempt: Attempt) -> Effect:
    return Release(attempt.space, attempt.multihash, attempt.id, attempt.number)


def alarm(attempt: Attempt, why: str) -> Effect:
    return Alarm(attempt.space, attempt.multihash, why)


# Steps that need a few lines


def begin(add: Add, number: int) -> Step[AnyState]:
    attempt = Attempt(add.invocation, number, add.space, add.multihash, add.agent, add.size)
    deadline = add.at + ACTIVE_MS_MAX
    return become(Active(attempt, (face_of(add),), deadline), *place(attempt, deadline))


def renew(state: Receiving, add: Add) -> Step[AnyState]:
    """The URL is about to die: ask for another, for the same attempt and the same room. Whoever
    asked before still waits for the bytes, so a face may stand here twice."""
    deadline = add.at + ACTIVE_MS_MAX
    active = Active(state.attempt, asked_again(state.faces, add), deadline, state.closes)
    return become(active, *place(state.attempt, deadline))


def join(state: Active | Receiving | Stored, add: Add) -> Step[AnyState]:
    """Add the face, if it is new; what was planned for the attempt goes on."""
    faces = joined(state.faces, add)
    if faces == state.faces:
        return stay(state)
    if isinstance(state, Stored) and add.face == "store":
        return become(with_faces(state, faces), Describe(state.attempt.multihash))
    return amend(with_faces(state, faces))


def let_go(state: Active | Receiving | Stored, remove: Remove) -> Step[AnyState]:
    """Take the face away; with the last one goes the entry."""
    faces = tuple(face for face in state.faces if face.name != remove.face)
    if faces == state.faces:
        return refuse(state, NOT_FOUND)
    reply = Ok({"size": state.attempt.size})
    if faces:
        return amend(with_faces(state, faces), reply)
    absent = Absent(state.attempt.number)
    return become(absent, give_up(state.attempt, state.closes, remove.at), reply=reply)


def with_faces(state: Active | Receiving | Stored, faces: tuple[Face, ...]) -> AnyState:
    match state:
        case Active(attempt, _, deadline, closes):
            return Active(attempt, faces, deadline, closes)
        case Receiving(attempt, _, url, headers, since, expires, closes):
            return Receiving(attempt, faces, url, headers, since, expires, closes)
        case Stored(attempt, _, closes):
            return Stored(attempt, faces, closes)


def joined(faces: tuple[Face, ...], add: Add) -> tuple[Face, ...]:
    held = any(face.name == add.face for face in faces)
    return faces if held else (*faces, face_of(add))


def asked_again(faces: tuple[Face, ...], add: Add) -> tuple[Face, ...]:
    """The faces with another of this name. Of too many the first but one is let go."""
    same = [face for face in faces if face.name == add.face]
    if len(same) >= FACES_MAX:
        faces = tuple([face for face in faces if face is not same[1]])
    return (*faces, face_of(add))


def came_alone(faces: tuple[Face, ...]) -> bool:
    """`store/*` brings CARs, and no index with them."""
    return any(face.name == "store" for face in faces)


def undescribed(attempt: Attempt, faces: tuple[Face, ...]) -> bool:
    """Whether it may be that no index tells what is in the bytes. An index that the space once had
    is not examined again when bytes come back, and what it told was forgotten with them."""
    return came_alone(faces) or attempt.number > 1


def face_of(add: Add) -> Face:
    cause = add.invocation if add.cause is None else add.cause
    return Face(add.face, cause, add.at, add.origin)


def nearly_over(at: int, since: int, expires: int) -> bool:
    """In the last tenth of a URL's life it is no longer given out."""
    return (expires - at) * 10 < expires - since


def other_size(size: int) -> Error:
    return failure("SizeMismatch", f"an upload of these bytes is under way, declared as {size}")


NOT_FOUND = failure("NotFound", "not found")


def entry_at(space: str, multihash: str) -> Path:
    return ("entry", space, multihash)


def lists(state: AnyState) -> tuple[str, ...]:
    """Each face lists what came in through it, from allocation on, until it failed or left."""
    match state:
        case Active(attempt, faces) | Receiving(attempt, faces) | Stored(attempt, faces):
            names = [list_of(attempt.space, face.name) for face in faces]
            return tuple(dict.fromkeys(names))
        case _:
            return ()


def list_of(space: str, face: FaceName) -> str:
    """The name of the list of what one space holds through one face."""
    return f"{face}/{space}"


ENTRY = Machine(
    "entry",
    1,
    update,
    Absent(),
    states=AnyState,
    messages=AnyMessage,
    tasks=AnyTask,
    lists=lists,
)
