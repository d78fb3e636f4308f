"""A bar that shows how far bytes have come, on a terminal; elsewhere, nothing.

Law: it is drawn on standard error, so that what was asked for can go elsewhere.
"""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from taijitu.client.sending import Progress

Told = Callable[[int], object]
"""Told how many bytes are done."""

Shown = Callable[[int, int, int], object]
"""Told how many bytes are done, and how many shards of how many."""


class Bars(NamedTuple):
    """Makes bars."""

    add: Callable[[str, int | None], Told]
    """A bar under a name, for so many bytes if that is known."""
    shards: Callable[[int | None], Shown]
    """A bar for shards that are sent."""


def unseen(_name: str, _total: int | None) -> Told:
    return ignore


def no_shards(_total: int | None) -> Shown:
    return lambda _sent, _stored, _shards: None


def ignore(_done: int) -> None:
    """Nobody looks."""


@contextmanager
def bars(*, quiet: bool) -> Generator[Bars, None, None]:
    """Bars for the time of a block."""
    if quiet or not sys.stderr.isatty():
        yield Bars(unseen, no_shards)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    ) as progress:

        def add(name: str, total: int | None) -> Told:
            bar = progress.add_task(name, total=total, start=False)

            def told(done: int) -> None:
                if not progress.tasks[bar].started:
                    progress.start_task(bar)
                progress.update(bar, completed=done)

            return told

        def shards(total: int | None) -> Shown:
            bar = progress.add_task("sending", total=total)

            def told(sent: int, stored: int, shards: int) -> None:
                largest = total if total is None else max(total, sent)
                text = f"sending, shard {min(stored + 1, shards)} of {shards}"
                progress.update(bar, completed=sent, total=largest, description=text)

            return told

        yield Bars(add, shards)


def progress_of(shown: Bars) -> "Callable[[Progress], None]":
    """Bars for a `put`: how much was packed, how much was sent."""
    made: list[tuple[Told, Shown]] = []

    def told(progress: "Progress") -> None:
        if not made:
            made.append((shown.add("packing", progress.total), shown.shards(progress.total)))
        packed, sent = made[0]
        packed(progress.packed)
        sent(progress.sent, progress.stored, progress.shards)

    return told
