"""Figures as a table for people and as JSON for programs."""

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass
class Run:
    """One measured run: operations done in `seconds`, with the latency of each in seconds."""

    done: int
    seconds: float
    cpu_seconds: float
    latencies: list[float] = field(repr=False)
    load_cpu_seconds: float = 0.0
    errors: int = 0

    @property
    def rate(self) -> float:
        return self.done / self.seconds

    @property
    def cpu_ms(self) -> float:
        return self.cpu_seconds / max(1, self.done) * 1000

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


@dataclass
class Row:
    """Several runs of one thing: the median run's figures, and the worst rate beside it."""

    name: str
    per_second: float
    worst_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms_each: float
    load_cores: float
    errors: int
    more: dict[str, Any] = field(default_factory=dict)


def row(name: str, runs: list[Run], **more: Any) -> Row:
    middle = sorted(runs, key=lambda run: run.rate)[len(runs) // 2]
    return Row(
        name,
        middle.rate,
        min(run.rate for run in runs),
        middle.percentile(0.50) * 1000,
        middle.percentile(0.99) * 1000,
        median(run.cpu_ms for run in runs),
        middle.load_cpu_seconds / middle.seconds,
        sum(run.errors for run in runs),
        more,
    )


HEAD = ("", "/s", "worst", "p50 ms", "p99 ms", "CPU ms each", "load cores", "errors")


def table(rows: list[Row]) -> str:
    lines = [HEAD, *(cells(each) for each in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    text = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return "\n".join(text)


def cells(each: Row) -> tuple[str, ...]:
    more = "".join(f"  {name}={value}" for name, value in each.more.items())
    return (
        each.name,
        f"{each.per_second:,.0f}",
        f"{each.worst_per_second:,.0f}",
        f"{each.p50_ms:.2f}",
        f"{each.p99_ms:.2f}",
        f"{each.cpu_ms_each:.3f}",
        f"{each.load_cores:.2f}",
        f"{each.errors}{more}",
    )


def save(rows: list[Row], path: Path) -> None:
    """Write the figures, with what they were measured on."""
    machine = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
    }
    path.write_text(
        json.dumps({"machine": machine, "rows": [asdict(each) for each in rows]}, indent=1) + "\n",
        encoding="utf-8",
    )
    sys.stderr.write(f"figures written to {path}\n")
