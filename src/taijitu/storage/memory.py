"""Storage in memory: for tests, for the simulation, for trying things out.

It keeps the laws of the port with dicts; what it holds ends with the process. No verb suspends,
so nothing can come between the checks of a commit and its effects.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence

from taijitu.engine.storage import (
    Batch,
    HeadChange,
    HeadRow,
    ListChange,
    PlanChange,
    PlanRow,
    ReceiptRow,
    SliceRow,
    TaskCounts,
    TaskKey,
    TaskRow,
)
from taijitu.kernel.effect import NEVER
from taijitu.kernel.failures import BlockMissing, Bug, HeadMoved
from taijitu.storage.leases import Leases
from taijitu.storage.lists import leaving_and_coming
from taijitu.storage.span import span


class MemoryStorage:
    """Rows in dicts, and the paths of all cells in a sorted list."""

    reads_at_once = True

    def __init__(self) -> None:
        self._heads: dict[str, HeadChange] = {}
        self._paths: list[str] = []
        self._lists: dict[str, dict[str, int]] = {}
        self._position = 0
        self._plans: dict[bytes, PlanChange] = {}
        self._blocks: dict[bytes, bytes] = {}
        self._tasks: dict[TaskKey, TaskRow] = {}
        self._receipts: dict[bytes, ReceiptRow] = {}
        self._slices: dict[bytes, dict[bytes, SliceRow]] = {}
        self._settings: dict[str, str] = {}
        self._leases = Leases()

    # Reading

    async def head(self, path: str) -> HeadRow | None:
        head = self._heads.get(path)
        return None if head is None else self._row(head)

    async def plan(self, plan: bytes) -> PlanRow | None:
        known = self._plans.get(plan)
        paths = (task.path for task in self._tasks.values() if task.plan == plan)
        path = known.path if known else next(paths, None)
        if path is None:
            return None
        block = self._needed(plan)
        if known is None:
            return PlanRow(plan, path, block, 0, None)
        return PlanRow(plan, path, block, known.version, known.progress)

    async def block(self, cid: bytes) -> bytes | None:
        return self._blocks.get(cid)

    async def scan(
        self, prefix: str, *, after: str = "", before: str = "", limit: int, backwards: bool = False
    ) -> Sequence[HeadRow]:
        if limit <= 0:
            return []
        low, high = span(prefix, after, before)
        start = bisect_left(self._paths, low)
        end = len(self._paths) if high is None else bisect_left(self._paths, high)
        if backwards:
            paths = self._paths[max(start, end - limit) : end][::-1]
        else:
            paths = self._paths[start : min(end, start + limit)]
        return [self._row(self._heads[path]) for path in paths]

    async def listing(
        self,
        name: str,
        *,
        older_than: int | None = None,
        newer_than: int | None = None,
        limit: int,
    ) -> Sequence[tuple[int, HeadRow]]:
        page = [
            (position, self._heads[path])
            for path, position in self._lists.get(name, {}).items()
            if path in self._heads
            and (newer_than is None or position > newer_than)
            and (older_than is None or position < older_than)
        ]
        limit = max(limit, 0)
        cut = page[max(len(page) - limit, 0) :] if newer_than is None else page[:limit]
        return [(position, self._row(head)) for position, head in reversed(cut)]

    async def receipt(self, task: bytes) -> bytes | None:
        row = self._receipts.get(task)
        return None if row is None else row.block

    async def slices(
        self, multihash: bytes, limit: int, *, after: bytes = b""
    ) -> Sequence[SliceRow]:
        held = [shard for shard, rows in self._slices.items() if multihash in rows]
        shards = sorted(shard for shard in held if shard > after)
        return [self._slices[shard][multihash] for shard in shards[: max(limit, 0)]]

    async def slices_in(
        self, shard: bytes, *, after: bytes = b"", limit: int
    ) -> Sequence[SliceRow]:
        held = self._slices.get(shard, {})
        return [held[each] for each in sorted(held) if each > after][: max(limit, 0)]

    async def settings(self) -> Mapping[str, str]:
        return dict(self._settings)

    def _row(self, head: HeadChange) -> HeadRow:
        known = self._plans.get(head.plan)
        return HeadRow(
            head.path,
            head.cid,
            head.seq,
            self._needed(head.cid),
            head.plan,
            None if head.plan == head.cid else self._needed(head.plan),
            known.version if known else 0,
            known.progress if known else None,
        )

    def _needed(self, cid: bytes) -> bytes:
        block = self._blocks.get(cid)
        if block is None:
            raise BlockMissing(f"the block {cid.hex()} is not in storage")
        return block

    # Writing

    async def commit(self, batch: Batch) -> None:
        self._check(batch)
        for cid, data in batch.blocks:
            self._blocks.setdefault(cid, data)
        for path, head in batch.heads.items():
            if path not in self._heads:
                insort(self._paths, path)
            self._heads[path] = head
        self._change_lists(batch.lists)
        self._plans |= batch.plans
        for key in batch.closed:
            self._tasks.pop(key, None)
        self._tasks |= batch.opened
        for key, later in batch.deferred.items():
            task = self._tasks.get(key)
            if task is not None:
                self._tasks[key] = task._replace(
                    ready_at=later.ready_at, tries=later.tries, trouble=later.trouble
                )
        self._receipts |= batch.receipts
        for row in batch.slices:
            self._slices.setdefault(row.shard, {}).setdefault(row.multihash, row)
        self._leases.drop(batch.closed)
        self._leases.drop(batch.deferred)

    def _change_lists(self, changes: Iterable[ListChange]) -> None:
        """Members stand in the order in which they came, in their list's dict as well."""
        leaving, coming = leaving_and_coming(changes)
        for name, path in leaving:
            self._lists.get(name, {}).pop(path, None)
        for name, path in coming:
            self._position += 1
            self._lists.setdefault(name, {}).setdefault(path, self._position)

    def _check(self, batch: Batch) -> None:
        for path, seq in batch.reads.items():
            self._check_head(path, seq)
        for head in batch.heads.values():
            self._check_head(head.path, head.expected)
        for change in batch.plans.values():
            known = self._plans.get(change.plan)
            version = known.version if known else 0
            if version != change.expected:
                raise HeadMoved(
                    f"the plan {change.plan.hex()} is at version {version}, not {change.expected}"
                )
        closed = set(batch.closed)
        for key in batch.opened:
            if key in self._tasks and key not in closed:
                raise Bug(f"task {key.number} of the plan {key.plan.hex()} is open already")
        for task in batch.receipts:
            if task in self._receipts:
                raise HeadMoved(f"there is a receipt for {task.hex()} already")

    def _check_head(self, path: str, expected: int) -> None:
        head = self._heads.get(path)
        seq = head.seq if head else 0
        if seq != expected:
            raise HeadMoved(f"{path!r} is at {seq}, not at {expected}")

    async def forget_receipts(self, before: int) -> None:
        kept = {task: row for task, row in self._receipts.items() if row.at >= before}
        self._receipts = kept

    async def forget_slices(self, shard: bytes) -> None:
        self._slices.pop(shard, None)

    async def remember(self, name: str, value: str) -> None:
        self._settings[name] = value

    async def close(self) -> None:
        """Nothing to give back."""

    # Tasks

    async def claim(
        self,
        now: int,
        limit: int,
        lease_ms: int,
        about: str | None = None,
        *,
        ability: str | None = None,
    ) -> Sequence[TaskRow]:
        if about is None:
            found = self._waiting(
                lambda task: task.ready_at <= now and ability in (None, task.ability)
            )
        else:
            found = self._waiting(lambda task: bool(about) and task.about == about)
        free = [task for task in found if self._leases.free(task.key, now)][: max(limit, 0)]
        self._leases.hold((task.key for task in free), now, lease_ms)
        return free

    async def release(self, keys: Sequence[TaskKey]) -> None:
        self._leases.drop(keys)

    async def next_ready(self) -> Mapping[str, int]:
        times: dict[str, int] = {}
        for task in self._waiting(lambda task: task.ready_at < NEVER):
            when = max(task.ready_at, self._leases.ends(task.key))
            times[task.ability] = min(when, times.get(task.ability, when))
        return times

    async def asleep(self, after: TaskKey | None, limit: int) -> Sequence[TaskRow]:
        rows = self._waiting(
            lambda task: task.ready_at >= NEVER and (after is None or task.key > after)
        )
        return rows[: max(limit, 0)]

    async def open_tasks(self, path: str | None = None) -> Sequence[TaskRow]:
        return self._waiting(lambda task: path is None or task.path == path)

    async def task_counts(self, now: int) -> TaskCounts:
        tasks = self._tasks.values()
        sound = [task.ready_at for task in tasks if not task.trouble]
        broken = [task.ready_at for task in tasks if task.trouble]
        return TaskCounts(
            asked=sum(at >= NEVER for at in sound),
            later=sum(now < at < NEVER for at in sound),
            ready=sum(at <= now for at in sound),
            failing=sum(at < NEVER for at in broken),
            parked=sum(at >= NEVER for at in broken),
        )

    def _waiting(self, wanted: Callable[[TaskRow], bool]) -> list[TaskRow]:
        return sorted(filter(wanted, self._tasks.values()), key=waiting_order)


def waiting_order(task: TaskRow) -> tuple[int, bytes, int]:
    """The longest ready first; the rest of the order is only there to be the same everywhere."""
    return task.ready_at, task.plan, task.number
