"""Group commit: transactions that come while another is being made durable share the next fsync.

They never race each other. Each was computed on the newest heads, committed or not, and joins the
group in order; if a group fails, everything that was built upon it fails with it and runs again.
"""

import asyncio
import time
from collections.abc import Callable

from taijitu.engine.draft import Draft
from taijitu.engine.newest import Newest
from taijitu.engine.storage import Batch, Storage
from taijitu.kernel.failures import Fault


class Group:
    """Transactions that become true together. `done` holds what went wrong, or `None`."""

    def __init__(self) -> None:
        self.batch = Batch()
        self.drafts: list[Draft] = []
        self.transactions = 0
        self.seconds = 0.0
        """How long it took to make it durable."""
        self.done: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    async def over(self) -> bool:
        """Wait until it is known what becomes of the group. True if it is durable."""
        return await asyncio.shield(self.done) is None

    async def committed(self) -> None:
        """Wait until the group is durable. Raises what kept it from becoming so."""
        trouble = await asyncio.shield(self.done)
        if trouble is not None:
            raise trouble


class Committer:
    """Makes one group durable at a time, and gathers the next meanwhile."""

    def __init__(self, storage: Storage, newest: Newest) -> None:
        self.storage = storage
        self.newest = newest
        self.observers: list[Callable[[Group], None]] = []
        self.mourners: list[Callable[[Exception], None]] = []
        """Told what kept a group from becoming true."""
        self.gathering: Group | None = None
        self.committing: Group | None = None
        self.working: asyncio.Task[None] | None = None

    def join(self, draft: Draft | None, batch: Batch) -> Group:
        """Put a transaction into the group that is being gathered."""
        if self.gathering is None:
            self.gathering = Group()
        group = self.gathering
        group.batch.add(batch)
        group.transactions += 1
        if draft is not None:
            group.drafts.append(draft)
            self.newest.join(draft)
        if self.working is None:
            self.working = asyncio.get_running_loop().create_task(self._work())
        return group

    async def settled(self) -> None:
        """Wait until everything that has joined so far is durable. Raises what prevents it."""
        group = self.gathering or self.committing
        if group is not None:
            await group.committed()

    async def over(self) -> bool:
        """Wait until it is known what becomes of everything that has joined so far. True if all
        of it is durable."""
        group = self.gathering or self.committing
        return group is None or await group.over()

    async def _work(self) -> None:
        try:
            while self.gathering is not None:
                self.committing, self.gathering = self.gathering, None
                await self._commit(self.committing)
        finally:
            self.committing = self.working = None

    async def _commit(self, group: Group) -> None:
        began = time.perf_counter()
        try:
            await self.storage.commit(group.batch)
        except Exception as trouble:
            self._fail(group, trouble)
            return
        group.seconds = time.perf_counter() - began
        for draft in group.drafts:
            self.newest.commit(draft)
        group.done.set_result(None)
        for observe in self.observers:
            observe(group)

    def _fail(self, group: Group, trouble: Exception) -> None:
        """Nothing of the group is true, and so nothing that was built upon it can become so."""
        for told in self.mourners:
            told(trouble)
        self.newest.forget()
        built_upon, self.gathering = self.gathering, None
        group.done.set_result(shared(trouble) if group.transactions > 1 else trouble)
        if built_upon is not None:
            built_upon.done.set_result(shared(trouble))


def shared(trouble: Exception) -> Exception:
    """What a trouble means to those who had it in company. Whose bug it was nobody knows: all try
    again, and sooner or later the one whose it is does so alone."""
    if isinstance(trouble, Fault):
        return trouble
    return Fault(f"a commit shared with others failed: {trouble!r}")
