"""A bar that shows how far bytes have come, on a terminal; elsewhere, nothing.

Law: it is drawn on standard error, so that what was asked for can go elsewhere.
"""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import NamedTuple

Told = Callable[[int], object]
"""Told how many bytes are done."""


class Bars(NamedTuple):
    """Makes bars."""

    add: Callable[[str, int | None], Told]
    """A bar under a name, for so many bytes if that is known."""


def unseen(_name: str, _total: int | None) -> Told:
    return ignore


def ignore(_done: int) -> None:
    """Nobody looks."""


@contextmanager
def bars(*, quiet: bool) -> Generator[Bars, None, None]:
    """Bars for the time of a block."""
    if quiet or not sys.stderr.isatty():
        yield Bars(unseen)
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

        yield Bars(add)
