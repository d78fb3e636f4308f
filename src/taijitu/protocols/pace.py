"""How often something may be done under one name: so many times at once, then one more now and
then. In memory: who is told to wait can do so, and a restart forgives."""

from typing import Final

NAMES_MAX: Final = 65_536
"""Names that are counted at the same time."""


class Pace:
    """`burst` times at once, and then once every `pause_ms`."""

    def __init__(self, burst: int, pause_ms: int) -> None:
        self.burst = burst
        self.pause_ms = pause_ms
        self.forgotten: dict[str, int] = {}
        """When all that was done under a name will be forgotten, in ms; the latest stands last."""

    def allows(self, name: str, now: int) -> bool:
        """Whether it may be done once more."""
        forgotten = self.forgotten.get(name, now)
        return forgotten - now <= (self.burst - 1) * self.pause_ms

    def note(self, name: str, now: int) -> None:
        """It was done."""
        before = self.forgotten.pop(name, now)
        self.forgotten[name] = max(before, now) + self.pause_ms
        if len(self.forgotten) > NAMES_MAX:
            del self.forgotten[next(iter(self.forgotten))]
