"""`taijitu demo`: one file through the whole machine, over real HTTP, shown as it happens.

Everything here could be done by anybody: the agent signs and speaks HTTP, the operator knocks at
the admin door. The service is one of its own, which ends with the demo.
"""

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from taijitu.cli.trouble import Refusal

if TYPE_CHECKING:
    from taijitu.cli.performance import Sample

MADE_UP_SIZE: Final = 64 * 1024
"""Bytes of chance in the file that is made up."""

WINDOW: Final = 2
"""Seconds that an upload URL lives here, so that one can watch what comes after."""

UPLOAD_RATE_MIN: Final = 20_000_000
"""Bytes a second that an upload is expected to make; a large file gets more time."""

WINDOW_MAX: Final = 604_800
"""Seconds that an upload URL can live."""


def demo(file: Path | None = None, /, *, folder: Path | None = None) -> None:
    """Watch one file go through the whole machine, step by step.

    Starts a service on a temporary folder and a free port, opens a space, stores the file, gets it
    back and removes it again. Nothing is left running, and no file is left. Kill it (kill -9) at
    any moment: with the folder that it names, the next demo finishes what this one began.

    Parameters
    ----------
    file
        The file to store. Without one: a small CAR, made up.
    folder
        Where everything is kept, and stays. Without one: a temporary folder.
    """
    with ended_by_signals():
        try:
            if folder is None:
                perform_and_tidy(file)
            else:
                perform(file, make(folder))
                print(f"\n  The service has ended. What it has written stays in {folder}\n")
        except (KeyboardInterrupt, SystemExit):
            left = "Nothing of it is left." if folder is None else f"What it did is in {folder}"
            print(f"\nThe demo was stopped. {left}", file=sys.stderr)
            raise


def perform_and_tidy(file: Path | None) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="taijitu-demo-") as folder:
        perform(file, Path(folder))
    print("\n  The service has ended, and its folder is gone.\n")


def perform(file: Path | None, folder: Path) -> None:
    from taijitu.cli.local import local_service
    from taijitu.cli.performance import Performance, sample

    car = sample(made_up(folder) if file is None else given(file), file is None)
    with local_service(folder, settings(car)) as config:
        Performance(config, car, folder).run()


def make(folder: Path) -> Path:
    """The folder, there. Raises `Refusal`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise Refusal(f"{folder} is not a folder") from None
    except OSError as why:
        raise Refusal(f"{folder} cannot be made: {why.strerror}") from None
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise Refusal(f"{folder} cannot be used: it is not yours to write in")
    return folder


def settings(car: "Sample") -> dict[str, str]:
    """The service of the demo: it takes this file, and lets go of it soon after."""
    window = min(WINDOW_MAX, WINDOW + car.size // UPLOAD_RATE_MIN)
    return {
        "TAIJITU_PROVISION": "closed",
        "TAIJITU_UPLOAD_WINDOW": str(window),
        "TAIJITU_UPLOAD_GRACE": "0",
    }


def given(path: Path) -> Path:
    """A file that can be stored. Raises `Refusal`."""
    if not path.exists():
        raise Refusal(f"there is no file {path}")
    if not path.is_file():
        raise Refusal(f"{path} is not a file")
    if path.stat().st_size == 0:
        raise Refusal(f"{path} is empty: there is nothing to store")
    return path


def made_up(folder: Path) -> Path:
    """A CAR that nobody has seen before, with one block; the one that was made up here before."""
    from taijitu.ipld import car
    from taijitu.ipld.cid import RAW, link_to

    path = folder / "made-up.car"
    if not path.exists():
        data = os.urandom(MADE_UP_SIZE)
        link = link_to(data, RAW)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_bytes(car.encode((link,), [(link, data)]))
        unfinished.rename(path)
    return path


@contextmanager
def ended_by_signals() -> Generator[None, None, None]:
    """Within the block, a signal to end is an exception: everything is put in order first."""

    def end(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
