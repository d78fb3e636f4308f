"""Leases in the memory of one process, for backends that no other process shares.

Law: after a restart every open task is free at once, because whoever held it is gone.
"""

from collections.abc import Iterable

from taijitu.engine.storage import TaskKey


class Leases:
    """Until when each claimed task is held, in ms since 1970. A lease ends on its own."""

    def __init__(self) -> None:
        self.until: dict[TaskKey, int] = {}
        self.swept_at = 0

    def hold(self, keys: Iterable[TaskKey], now: int, lease_ms: int) -> None:
        """Lease tasks. Once in every span of `lease_ms` what has run out is forgotten, so a
        task that was closed behind our back does not stay in memory."""
        if now >= self.swept_at:
            self.until = {key: until for key, until in self.until.copy().items() if until > now}
            self.swept_at = now + lease_ms
        for key in keys:
            self.until[key] = now + lease_ms

    def free(self, key: TaskKey, now: int) -> bool:
        return self.until.get(key, 0) <= now

    def ends(self, key: TaskKey) -> int:
        """When the lease of a task runs out or has run out, or 0."""
        return self.until.get(key, 0)

    def drop(self, keys: Iterable[TaskKey]) -> None:
        for key in keys:
            self.until.pop(key, None)
