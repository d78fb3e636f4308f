"""The newest heads, plans and receipts at hand: what is not yet committed lies over what is.

Transactions chain on each other through it: one that starts while another is being made durable
sees what that one has made, and is committed after it or not at all.
"""

from collections import OrderedDict
from typing import Generic, TypeVar

from taijitu.engine.cell import Head, Progress
from taijitu.engine.draft import Draft, Unread
from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Path

HEADS_MAX = 20_000
PLANS_MAX = 20_000
RECEIPTS_MAX = 10_000

K = TypeVar("K")
V = TypeVar("V")


class Layer(Generic[K, V]):
    """Values that are not committed yet, over a bounded number of those that are."""

    def __init__(self, size_max: int) -> None:
        self.size_max = size_max
        self.uncommitted: dict[K, V] = {}
        self.known: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        value = self.uncommitted.get(key)
        return value if value is not None else self.known.get(key)

    def learn(self, key: K, value: V) -> None:
        """Keep a committed value, unless a newer one is known."""
        self.known.setdefault(key, value)
        self.known.move_to_end(key)
        while len(self.known) > self.size_max:
            self.known.popitem(last=False)

    def commit(self, key: K, value: V) -> None:
        self.known.pop(key, None)
        self.learn(key, value)
        if self.uncommitted.get(key) is value:
            del self.uncommitted[key]

    def forget(self) -> None:
        self.uncommitted.clear()
        self.known.clear()


class Newest:
    """A `Source` for drafts."""

    def __init__(self) -> None:
        self.heads = Layer[Path, Head](HEADS_MAX)
        self.plans = Layer[Link, Progress](PLANS_MAX)
        self.receipts = Layer[Link, bytes](RECEIPTS_MAX)

    def head(self, path: Path) -> Head:
        head = self.heads.get(path)
        if head is None:
            raise Unread(path=path)
        return head

    def progress(self, planned: Link) -> Progress:
        progress = self.plans.get(planned)
        if progress is None:
            raise Unread(plan=planned)
        return progress

    def is_uncommitted(self, path: Path) -> bool:
        return path in self.heads.uncommitted

    def join(self, draft: Draft) -> None:
        """What a draft has made is now what the next one sees."""
        self.heads.uncommitted.update(draft.heads)
        self.plans.uncommitted.update(draft.plans)
        self.receipts.uncommitted.update(draft.receipts)

    def commit(self, draft: Draft) -> None:
        for path, head in draft.heads.items():
            self.heads.commit(path, head)
        for planned, progress in draft.plans.items():
            self.plans.commit(planned, progress)
        for task, receipt in draft.receipts.items():
            self.receipts.commit(task, receipt)

    def forget(self) -> None:
        """Another process was faster, or a commit failed: read everything again."""
        self.heads.forget()
        self.plans.forget()
        self.receipts.forget()
