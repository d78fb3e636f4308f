"""What the engine does, counted for `GET /metrics`: commits, tasks, and how full the spaces are.

Commits and tasks are counted as they happen. How many tasks are open and what the spaces hold is
looked up in a census, now and then, so that being asked costs nothing.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from taijitu.engine.actor import Actor, Actors, Assignment
from taijitu.engine.group import Group
from taijitu.kernel.failures import Fault, HeadMoved
from taijitu.kernel.receipt import Ok, Receipt
from taijitu.server.installation import Installation
from taijitu.server.logs import log

CENSUS_PAUSE_SECONDS: Final = 15.0
"""Between two censuses, at least: figures are as old as that."""

CENSUS_SHARE: Final = 0.01
"""The part of the time that a census may take: where it takes long it is taken less often."""

COMMIT_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Upper bounds of the histogram's buckets."""

GROUP_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Upper bounds of the histogram's buckets."""


class Watch:
    """Watches an installation. `census` has to run for the figures that are looked up."""

    def __init__(self, installation: Installation, registry: CollectorRegistry) -> None:
        self.installation = installation
        self.engine = installation.engine
        ProcessCollector(registry=registry)
        self.commit_seconds = Histogram(
            "taijitu_commit_seconds",
            "Time to make a group of transactions durable.",
            buckets=COMMIT_SECONDS,
            registry=registry,
        )
        self.group_sizes = Histogram(
            "taijitu_commit_transactions",
            "Transactions that shared a commit.",
            buckets=GROUP_SIZES,
            registry=registry,
        )
        self.failures = Counter(
            "taijitu_commit_failures",
            "Commits that failed: moved (another was faster), fault (tried again), bug.",
            ("reason",),
            registry=registry,
        )
        for reason in ("moved", "fault", "bug"):
            self.failures.labels(reason)
        self.outcomes = Counter(
            "taijitu_task_outcomes",
            "Tasks carried out, by how it went: ok, error, later (not now), fault (tried again), "
            "bug (parked).",
            ("ability", "outcome"),
            registry=registry,
        )
        self.tasks = Gauge(
            "taijitu_tasks",
            "Open tasks, by how they stand: asked (of a client), later, ready, failing, parked.",
            ("state",),
            registry=registry,
        )
        self.running = Gauge("taijitu_tasks_running", "Tasks being carried out.", registry=registry)
        self.running.set_function(lambda: len(installation.dispatcher.running))
        self.figures = {
            name: Gauge(f"taijitu_{name}", text, registry=registry)
            for name, text in FIGURES.items()
        }
        self.engine.committer.observers.append(self._committed)
        self.engine.committer.mourners.append(self._failed)
        self.engine.actors = watched(self.engine.actors, self.outcomes)

    def _committed(self, group: Group) -> None:
        self.commit_seconds.observe(group.seconds)
        self.group_sizes.observe(group.transactions)

    def _failed(self, trouble: Exception) -> None:
        fault = "fault" if isinstance(trouble, Fault) else "bug"
        self.failures.labels("moved" if isinstance(trouble, HeadMoved) else fault).inc()

    async def census(self) -> None:
        """Look up what there is, again and again, until cancelled."""
        while True:
            began = time.perf_counter()
            try:
                await self.look()
            except Fault as fault:
                log.warning("census broke off", why=str(fault))
            except Exception:
                # A cell that cannot be read is no reason to stop serving all the others.
                log.exception("census broke off")
            took = time.perf_counter() - began
            await asyncio.sleep(max(CENSUS_PAUSE_SECONDS, took / CENSUS_SHARE))

    async def look(self) -> None:
        """One census. Raises `Fault`."""
        counts = await self.engine.storage.task_counts(self.engine.now())
        for state, number in counts._asdict().items():
            self.tasks.labels(state).set(number)
        totals = dict.fromkeys(FIGURES, 0)
        async for page in self.installation.spaces.pages():
            for space in page:
                totals["spaces"] += 1
                totals["spaces_blocked"] += space.blocked
                totals["capacity_bytes"] += space.capacity
                totals["reserved_bytes"] += space.reserved
                totals["used_bytes"] += space.used
                totals["entries"] += space.entries
            await asyncio.sleep(0)
        for name, total in totals.items():
            self.figures[name].set(total)


FIGURES: Final[Mapping[str, str]] = {
    "spaces": "Spaces that have room here, or are blocked.",
    "spaces_blocked": "Spaces that are blocked.",
    "capacity_bytes": "What all spaces together may hold.",
    "reserved_bytes": "Room set aside for uploads under way, in all spaces.",
    "used_bytes": "What is stored, as it is charged to all spaces.",
    "entries": "What is stored in all spaces, counted.",
}


def watched(actors: Actors, outcomes: Counter) -> Actors:
    """Actors that do the same and are counted."""
    return {ability: Watched(ability, actor, outcomes) for ability, actor in actors.items()}


class Watched:
    """An actor, watched. What it answers within a transaction is not counted: it may run again."""

    def __init__(self, ability: str, actor: Actor, outcomes: Counter) -> None:
        self.prompt = actor.prompt
        self.actor = actor
        self.counts = {each: outcomes.labels(ability, each) for each in OUTCOMES}

    async def run(self, assignment: Assignment) -> Receipt | None:
        try:
            receipt = await self.actor.run(assignment)
        except (Fault, TimeoutError, asyncio.CancelledError):
            self.counts["fault"].inc()
            raise
        except Exception:
            self.counts["bug"].inc()
            raise
        self.counts[outcome(receipt)].inc()
        return receipt


OUTCOMES: Final = ("ok", "error", "later", "fault", "bug")


def outcome(receipt: Receipt | None) -> str:
    if receipt is None:
        return "later"
    return "ok" if isinstance(receipt, Ok) else "error"
