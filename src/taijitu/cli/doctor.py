"""`taijitu doctor`: an examination of an installation, whether its service runs or not.

Where `check` asks whether the service could start, this asks how it is: also its disks, its clock,
its database from within, and what has waited for too long.
"""

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from taijitu.cli import check, words
from taijitu.cli.check import Finding
from taijitu.cli.trouble import Refusal
from taijitu.engine.clock import wall_ms
from taijitu.server import config as configuration
from taijitu.server.config import Config
from taijitu.server.trouble import CannotStart

SPACE_LEFT_MIN: Final = 256 * 1024**2
"""Bytes left on a disk, below which the service is about to stop working."""

SPACE_LEFT_LITTLE: Final = 2 * 1024**3
"""Bytes left on a disk, below which a person should know."""

EPOCH_MS: Final = 1_767_225_600_000
"""The beginning of 2026: no clock that is right has ever shown this program an earlier time."""

DRIFT_MS_MAX: Final = 60_000
"""How far two clocks may be apart."""

SHUT: Final = ("service", "data folder", "key", "database", "bucket")
"""Where something is wrong with one of these, nobody gets in to see more."""

TOLD_MAX: Final = 20
"""Tasks in trouble that are named."""


def doctor(*, json: bool = False) -> int:
    """Examine the service, whether it runs or not.

    Looks at all that `taijitu check` looks at, and at the disks, the clock, the soundness of the
    database and what is waiting. The exit code is 1 if something is wrong.

    Parameters
    ----------
    json
        Print JSON: a list of {"about", "verdict", "text"}; a verdict is ok, warning or wrong.
    """
    found = list(findings())
    if json:
        words.print_json([finding._asdict() for finding in found])
    else:
        print(check.told(found))
    return 1 if any(finding.verdict == "wrong" for finding in found) else 0


def findings() -> Iterator[Finding]:
    """Everything that is examined."""
    known = list(check.findings())
    yield from known
    if any(each.about == "configuration" and each.verdict == "wrong" for each in known):
        return
    config = configuration.load().config
    yield from disks(config)
    yield from permissions(config.data)
    now = wall_ms()
    if now < EPOCH_MS:
        yield Finding("clock", "wrong", f"it says {words.moment(now)[:19]} UTC: set it")
    elif is_there(config) and not any(
        each.verdict == "wrong" and each.about in SHUT for each in known
    ):
        yield from within()
    else:
        yield clock(now, now, None)


def is_there(config: Config) -> bool:
    """Whether there is an installation already, to look into."""
    from taijitu.cli.reach import known_did
    from taijitu.server.installation import sqlite_file

    return known_did(config.data) is not None and sqlite_file(config).exists()


def disks(config: Config) -> Iterator[Finding]:
    """How much room is left for the database and for the bytes."""
    from taijitu.server.installation import bucket_folder, sqlite_file

    try:
        places = {"database": sqlite_file(config), "bytes": bucket_folder(config)}
    except CannotStart:
        return
    by_disk: dict[int, list[str]] = {}
    folders: dict[int, Path] = {}
    for what, path in places.items():
        folder = path if path.is_dir() else check.nearest(path)
        disk = folder.stat().st_dev
        by_disk.setdefault(disk, []).append(what)
        folders[disk] = folder
    for disk, what in by_disk.items():
        yield room(folders[disk], " and ".join(what))


def room(folder: Path, what: str) -> Finding:
    """The room that is left on the disk of a folder."""
    left = shutil.disk_usage(folder).free
    text = f"{words.size(left)} left for {what} in {folder}"
    if left < SPACE_LEFT_MIN:
        return Finding("space left", "wrong", f"{text}: make room, or nothing more can be stored")
    return Finding("space left", "warning" if left < SPACE_LEFT_LITTLE else "ok", text)


def permissions(data: Path) -> Iterator[Finding]:
    """Whether others may look into the data folder, where the key is."""
    if not data.is_dir():
        return
    mode = stat.S_IMODE(data.stat().st_mode)
    if mode & 0o077:
        text = f"{data} can be entered by other users (mode {mode:04o}): `chmod 700 {data}`"
        yield Finding("permissions", "warning", text)
    else:
        yield Finding("permissions", "ok", f"{data} is this user's alone")


def within() -> Iterator[Finding]:
    """What only the owner of the data folder can see: the service that runs, or else we."""
    from taijitu.cli.reach import ask

    try:
        yield from examined(ask("examine"))
        yield from waiting(ask("waiting", limit=TOLD_MAX))
    except (Refusal, CannotStart) as why:
        yield Finding("database", "wrong", str(why))


def examined(found: dict[str, Any]) -> Iterator[Finding]:
    """The database from within, and what the clock says beside it."""
    for damage in found["damages"]:
        yield Finding("soundness", "wrong", f"the database is damaged: {damage}")
    if not found["damages"]:
        whole = "" if found["is_whole"] else ", as far as there was time to look through it"
        yield Finding("soundness", "ok", f"the database is sound{whole}")
    yield clock(found["wall"], found["now"], found["last"])


def clock(wall: int, now: int, last: int | None) -> Finding:
    """Whether time went on as it should: `wall` is the machine's, `now` the service's, `last` that
    of the newest receipt. All in ms since 1970."""
    told = f"{words.moment(wall)[:19]} UTC"
    if last is not None and last - wall > DRIFT_MS_MAX:
        text = (
            f"it says {told}, and the newest receipt is of {words.moment(last)[:19]}: it was set "
            f"back by {words.span(last - wall)}, or forward before. Set it right"
        )
        return Finding("clock", "wrong", text)
    if abs(wall - now) > DRIFT_MS_MAX:
        text = (
            f"it says {told}, and was set while the service runs, which is at "
            f"{words.moment(now)[:19]} and catches up slowly; a restart follows it at once"
        )
        return Finding("clock", "warning", text)
    return Finding("clock", "ok", told)


def waiting(found: dict[str, Any]) -> Iterator[Finding]:
    """What is not at rest, in words; what is in trouble, one by one."""
    from taijitu.cli.waiting import in_words, name, sentence

    now = wall_ms()
    if not found["tasks"]:
        yield Finding("waiting", "ok", "everything is at rest")
        return
    verdict = "wrong" if found["parked"] else "warning" if found["failing"] else "ok"
    yield Finding("waiting", verdict, sentence(found) + longest(found, now))
    for task in found["told"]:
        if task["condition"] in ("parked", "failing"):
            first, *more = in_words(task, now)
            text = " ".join([*name(task["cell"]), first.strip(" ✘!·"), *map(str.strip, more)])
            yield Finding(task["condition"], "warning", text)


def longest(found: dict[str, Any], now: int) -> str:
    """Since when the one that was told of and has waited longest does."""
    since = min((task["since"] for task in found["told"]), default=now)
    return f" The longest has waited for {words.span(max(0, now - since))}."
