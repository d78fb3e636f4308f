"""What holds at every instant, whatever is under way; and what holds once everything is at rest."""

from collections import Counter
from collections.abc import Mapping

from taijitu.buckets.memory import MemoryBucket
from taijitu.engine.cell import read_head
from taijitu.engine.storage import TaskRow
from taijitu.ipld.multibase import decode
from taijitu.kernel.effect import Path
from taijitu.kernel.machine import State
from taijitu.machines import MACHINES, allocation, blob, contents, entry, ledger
from taijitu.machines.ledger import Blocked, Provisioned
from taijitu.storage.memory import MemoryStorage

PAGE = 10_000
"""More cells than a simulation makes."""


class Snapshot:
    """All cells as they durably stand, and the tasks that are open."""

    decoded: dict[bytes, tuple[Path, State]] = {}  # noqa: RUF012 - blocks never change

    def __init__(self, cells: Mapping[Path, State], tasks: list[TaskRow]) -> None:
        self.cells = cells
        self.tasks = tasks

    @classmethod
    async def of(cls, storage: MemoryStorage) -> "Snapshot":
        """Nothing can happen while it is taken: this storage never suspends."""
        cells: dict[Path, State] = {}
        for row in await storage.scan("", limit=PAGE):
            known = cls.decoded.get(row.cid)
            if known is None:
                head, _ = read_head(MACHINES, row)
                known = cls.decoded[row.cid] = (head.path, head.state)
            cells[known[0]] = known[1]
        return cls(cells, list(await storage.open_tasks()))

    def of_machine(self, name: str) -> dict[Path, State]:
        return {path: state for path, state in self.cells.items() if path[0] == name}


async def hold(
    storage: MemoryStorage,
    bucket: MemoryBucket,
    capacities: Mapping[str, int],
    lost: set[str],
) -> None:
    """At any instant. `capacities` are the largest that spaces ever had; `lost` names bytes that
    the bucket has lost, which nobody can have noticed yet."""
    now = await Snapshot.of(storage)
    each_entry_owns_what_it_should(now)
    each_ledger_is_the_sum_of_its_allocations(now, capacities)
    each_blob_counts_its_allocations(now)
    whatever_is_not_at_rest_waits_for_something(now)
    await lists_are_what_the_states_say(now, storage)
    for (_, _, multihash), state in now.of_machine("entry").items():
        if isinstance(state, entry.Stored) and multihash not in lost:
            assert decode(multihash) in bucket.stored, ("Stored without bytes", multihash)


def each_entry_owns_what_it_should(now: Snapshot) -> None:
    for (_, space, multihash), state in now.of_machine("entry").items():
        owned = now.cells.get(("allocation", space, multihash), allocation.Vacant())
        match state, owned:
            case entry.Stored(attempt), allocation.Allocated(owner, number, size, True):
                assert (owner, number, size) == (attempt.id, attempt.number, attempt.size)
            case (
                (entry.Receiving(attempt) | entry.Active(attempt)),
                allocation.Allocated(owner, number, size, False),
            ):
                assert (owner, number, size) == (attempt.id, attempt.number, attempt.size)
            case ((entry.Active() | entry.Absent() | entry.Failed()), allocation.Vacant()):
                pass
            case _:
                raise AssertionError((state, owned))


def each_ledger_is_the_sum_of_its_allocations(now: Snapshot, capacities: Mapping[str, int]) -> None:
    reserved, used, entries = Counter[str](), Counter[str](), Counter[str]()
    for (_, space, _), state in now.of_machine("allocation").items():
        match state:
            case allocation.Allocated(_, _, size, stored):
                (used if stored else reserved)[space] += size
                entries[space] += stored
            case _:
                continue
    for (_, space), state in now.of_machine("ledger").items():
        assert isinstance(state, (Provisioned, Blocked))
        told = state.reserved, state.used, state.entries
        assert told == (reserved[space], used[space], entries[space])
        assert state.reserved + state.used <= capacities[space]
    assert all(ledger.ledger_at(space) in now.cells for space in reserved | used)


def each_blob_counts_its_allocations(now: Snapshot) -> None:
    count = Counter(
        path[2]
        for path, state in now.of_machine("allocation").items()
        if isinstance(state, allocation.Allocated)
    )
    for (_, multihash), state in now.of_machine("blob").items():
        assert isinstance(state, (blob.Kept, blob.Sweeping))
        assert state.references == count.pop(multihash, 0)
    assert not count, "bytes that no blob knows"


def whatever_is_not_at_rest_waits_for_something(now: Snapshot) -> None:
    waiting = {tuple(task.path.split("/")) for task in now.tasks}
    for path, state in now.cells.items():
        if not isinstance(state, RESTLESS):
            continue
        assert path in waiting, ("stuck", path, state)


RESTLESS = (entry.Active, entry.Receiving, blob.Sweeping, contents.Reading)


async def lists_are_what_the_states_say(now: Snapshot, storage: MemoryStorage) -> None:
    wanted: Counter[tuple[str, Path]] = Counter()
    for path, state in now.of_machine("entry").items():
        wanted.update((name, path) for name in MACHINES["entry"].lists(state))
    for name in {f"{face}/{path[1]}" for path in now.cells if len(path) == 3 for face in FACES}:
        for _, row in await storage.listing(name, limit=PAGE):
            wanted[name, tuple(row.path.split("/"))] -= 1
    assert not any(wanted.values()), wanted


FACES = ("store", "blob")


async def all_is_at_rest(storage: MemoryStorage, bucket: MemoryBucket) -> None:
    """Nothing waits, nothing is under way, and there are no bytes but those that are stored."""
    now = await Snapshot.of(storage)
    assert now.tasks == []
    stored: set[bytes] = set()
    for (_, _, multihash), state in now.of_machine("entry").items():
        assert not isinstance(state, (entry.Active, entry.Receiving)), state
        if isinstance(state, entry.Stored):
            stored.add(decode(multihash))
    assert set(bucket.stored) == stored, "bytes that nobody has stored, or stored without bytes"
    assert all(isinstance(state, blob.Kept) for state in now.of_machine("blob").values())
    await what_lies_in_cars_is_known(now, storage, bucket)


async def what_lies_in_cars_is_known(
    now: Snapshot, storage: MemoryStorage, bucket: MemoryBucket
) -> None:
    """Of those that came alone; of bytes that are not here, nothing is."""
    for (_, _, multihash), state in now.of_machine("entry").items():
        if isinstance(state, entry.Stored) and entry.came_alone(state.faces):
            known = now.cells[contents.contents_at(multihash)]
            assert isinstance(known, (contents.Read, contents.Refused)), known
    for (_, multihash), state in now.of_machine("contents").items():
        data = bucket.stored.get(decode(multihash))
        rows = await storage.slices_in(decode(multihash), limit=PAGE)
        assert data is not None or not rows, ("known of bytes that are not here", multihash)
        match state:
            case contents.Read(blocks):
                assert data is not None
                assert len(rows) == blocks == 1
                assert data[rows[0].offset :] == data[-rows[0].length :] != b""
            case contents.Refused():
                assert data is not None
            case _:
                assert isinstance(state, contents.Unread)
