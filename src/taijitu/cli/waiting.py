"""`taijitu waiting`, `retry` and `park`: what is not at rest, and what to do about it."""

import time
from itertools import groupby
from typing import Any, Final

from taijitu.cli import words

SHOWN: Final = 100
"""Tasks that are told, unless more are asked for."""

FOR: Final = {
    "s3/put": "the client's upload",
    "s3/stat": "a look whether the bytes are there",
    "s3/presign": "a URL for an upload",
    "s3/delete": "the deletion of the bytes",
    "task/sleep": "the time to come",
    "operator/alarm": "a person to be told",
    "contents/scan": "a look through the blocks of the CAR",
}


def waiting(*, limit: int = SHOWN, json: bool = False) -> None:
    """Tell what is not at rest: what for, since when, until when, and how often it failed.

    An upload that a client has begun waits for its bytes; that is as it should be. What keeps
    failing and what is parked (by a mistake in the program, or by hand) comes first. Times are UTC.

    Parameters
    ----------
    limit
        How many tasks to tell.
    json
        Print JSON.
    """
    from taijitu.cli.reach import ask

    found = ask("waiting", limit=limit)
    if json:
        words.print_json(found)
    else:
        print(told(found, time.time_ns() // 1_000_000))


def retry(task: str, /, *, json: bool = False) -> None:
    """Try a waiting task again at once, as if it had never failed.

    Parameters
    ----------
    task
        Its name, as `taijitu waiting` prints it.
    json
        Print JSON.
    """
    from taijitu.cli.reach import ask

    done = ask("retry", task=task)
    if json:
        words.print_json(done)
    else:
        print(f"{done['ability']} is tried again.")


def park(task: str, /, *, json: bool = False) -> None:
    """Put a task aside: nobody tries it until `taijitu retry`, or until what it waits for comes.

    Parameters
    ----------
    task
        Its name, as `taijitu waiting` prints it.
    json
        Print JSON.
    """
    from taijitu.cli.reach import ask

    done = ask("park", task=task)
    if json:
        words.print_json(done)
    else:
        print(f"{done['ability']} is parked.")


def told(found: dict[str, Any], now: int) -> str:
    """Everything that waits, for people."""
    if not found["tasks"]:
        return "Everything is at rest."
    parts = [sentence(found)]
    for cell, tasks in groupby(found["told"], key=lambda task: task["cell"]):
        lines = [line for task in tasks for line in in_words(task, now)]
        parts.append("\n".join([*name(cell), *lines]))
    more = found["tasks"] - len(found["told"])
    if more > 0:
        parts.append(f"… and {words.count(more, 'task', 'tasks')} more: --limit {found['tasks']}")
    return "\n\n".join(parts)


def sentence(found: dict[str, Any]) -> str:
    """What there is, in one sentence."""
    text = words.count(found["cells"], "cell is", "cells are") + " not at rest"
    text += f", with {words.count(found['tasks'], 'open task', 'open tasks')}"
    troubles = [f"{found[each]} {each}" for each in ("parked", "failing") if found[each]]
    return f"{text} ({', '.join(troubles)})." if troubles else f"{text}."


def name(cell: list[str]) -> list[str]:
    """The cell, as `taijitu history` wants to be asked for it where it is an entry."""
    from taijitu.buckets.names import link_of
    from taijitu.ipld import multibase

    machine, *key = cell
    if machine == "entry":
        space, multihash = key
        return [f"{link_of(multibase.decode(multihash))}", f"{space}"]
    return [" ".join(cell)]


def in_words(task: dict[str, Any], now: int) -> list[str]:
    """One task, on two lines or three."""
    age = words.span(max(0, now - task["since"]))
    mark = {"parked": "✘", "failing": "!"}.get(task["condition"], "·")
    what = FOR.get(task["ability"], task["ability"])
    lines = [f"  {mark} {task['state']}, for {age}: waits for {what}{deadline(task, now)}"]
    if task["condition"] == "parked":
        lines.append(f"    parked{failures(task)}: {task['trouble'].strip()}")
        lines.append(f"    taijitu retry {task['task']}")
    elif task["trouble"]:
        again = words.span(max(0, (task["ready_at"] or now) - now))
        lines.append(f"    failed {times(task['tries'])}, again in {again}: {task['trouble']}")
        lines.append(f"    {task['task']}")
    return lines


def deadline(task: dict[str, Any], now: int) -> str:
    if task["until"] is None:
        return ""
    until = words.moment(task["until"])[:19]
    left = task["until"] - now
    return f", until {until} ({f'in {words.span(left)}' if left > 0 else 'now'})"


def failures(task: dict[str, Any]) -> str:
    return f" after it failed {times(task['tries'])}" if task["tries"] else ""


def times(number: int) -> str:
    return "once" if number == 1 else "twice" if number == 2 else f"{number} times"
