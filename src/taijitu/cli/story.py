"""A history, told to people: which message led where, what was planned then, and how it went.

Works on what the admin door answers to `history`, so it is the same whoever asked.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from rich.cells import cell_len
from rich.text import Text

from taijitu.cli import words
from taijitu.kernel.notation import MESSAGE

WIDTH: Final = 80
"""Columns that a line may take. CIDs and DIDs stand on lines of their own."""

FATES: Final = {
    "ok": ("✅", ""),
    "error": ("❌", ""),
    "open": ("⏳", "under way"),
    "waiting": ("⏳", "not asked for yet"),
    "dropped": ("  ", "no longer needed"),
}
"""How a task stands: its mark, and what is said where it has no receipt."""

HIDDEN: Final = frozenset(
    ("do", "can", "status", "with", "space", "multihash", "at", "invocation", "url", "headers")
)
"""Fields that say what is said already, or that only a program can read."""

SIZES: Final = frozenset(("size", "capacity", "found"))
"""Fields that are a number of bytes."""

TIME_MIN, TIME_MAX = 10**12, 10**13
"""Numbers between these can only be a time, in ms since 1970: from 2001 to 2286."""

INDENT: Final = 14
"""Columns before what a line says."""

HANG: Final = 3
"""Columns that the mark before a task takes."""

TAGS: Final = ("do", "can")
"""Where a message has its name."""


def told(step: Mapping[str, Any], marks: Mapping[str, str]) -> Iterable[Text]:
    """One transition, with all that is known of it. `marks` are the signs of the states."""
    yield Text.assemble(
        (f"{step['seq']:>3}  ", "bold"),
        (words.moment(step["at"]), "dim"),
        "  ",
        *arrow(step, marks),
    )
    yield field("block", step["cid"])
    if step["cause"] is not None:
        yield field("cause", step["cause"])
    yield from facts("message", step["message"])
    yield from facts("state", step["state"])
    if step["amended"]:
        yield field("plan", "the one before goes on")
    for number, pipeline in enumerate(step["pipelines"]):
        yield Text.assemble(name_of_field("plan" if number == 0 else ""), *planned(pipeline))
    for number, task in enumerate(step["tasks"]):
        yield from task_told("" if number else "tasks", task)


def arrow(step: Mapping[str, Any], marks: Mapping[str, str]) -> list[Any]:
    """Which message led to which state."""
    state = step["state_name"]
    shown = f"{marks.get(state, '')} {state}".strip()
    return [
        (f"{MESSAGE} ", ""),
        (message_name(step), "cyan"),
        (" ──▶ ", "dim"),
        (shown, "bold green"),
    ]


def sent(step: Mapping[str, Any]) -> str:
    """How the pipelines end that send what this step heard."""
    return f" >> {MESSAGE} {message_name(step)}"


def message_name(step: Mapping[str, Any]) -> str:
    """What the message is called."""
    return next((step["message"][tag] for tag in TAGS if tag in step["message"]), "?")


def planned(pipeline: Mapping[str, Any]) -> list[Any]:
    """A pipeline in its notation; bright if it came to its end."""
    delivered = pipeline["delivered"]
    return [("▸ " if delivered else "  ", "bold"), (pipeline["text"], "" if delivered else "dim")]


def task_told(name: str, task: Mapping[str, Any]) -> Iterable[Text]:
    """A task, and how it went."""
    mark, fate = FATES[task["fate"]]
    label = f"{mark} {task['ability']}@{task['actor']}"
    said = [fate] if fate else []
    if task["value"] is not None:
        said = outcome(task["value"])
    elif task["fate"] == "open" and is_time(task["ready_at"]):
        said = [f"due {shown('', task['ready_at'])}"]
    if task["tries"]:
        times = words.count(task["tries"], "time", "times")
        said.append(f"tried {times}: {task['trouble']}")
    return flow(name, [label, *said], hang=HANG)


def outcome(value: Mapping[str, Any]) -> list[str]:
    """What a receipt says: the message of an error, or the fields of a success."""
    if isinstance(value.get("message"), str):
        return [value["message"]]
    return brief(value)


def facts(name: str, value: Mapping[str, Any]) -> Iterable[Text]:
    """The fields of a message or a state."""
    return flow(name, brief(value))


def flow(name: str, items: Iterable[str], hang: int = 0) -> Iterable[Text]:
    """A named list of facts, as many on a line as fit; later lines begin `hang` columns later."""
    rows: list[str] = []
    for item in items:
        if rows and INDENT + cell_len(f"{rows[-1]} · {item}") <= WIDTH:
            rows[-1] += f" · {item}"
        else:
            rows.append(" " * hang * bool(rows) + item)
    return [field(name if number == 0 else "", row) for number, row in enumerate(rows)]


def brief(value: Mapping[str, Any]) -> list[str]:
    """The fields that a person wants to see, with their values."""
    return [
        shown(name, item)
        for name, item in value.items()
        if name not in HIDDEN and isinstance(item, str | int) and item != 0
    ]


def shown(name: str, value: str | int) -> str:
    """A field for people: sizes with their unit, times as dates."""
    if isinstance(value, str | bool):
        return f"{name} {value}"
    if name in SIZES:
        return f"{value:,} bytes"
    if is_time(value):
        return f"{name} {words.moment(value).removesuffix('.000')}".strip()
    return f"{name} {value:,}"


def is_time(value: object) -> bool:
    return isinstance(value, int) and TIME_MIN <= value < TIME_MAX


def field(name: str, value: str) -> Text:
    return Text.assemble(name_of_field(name), value)


def name_of_field(name: str) -> tuple[str, str]:
    return (f"     {name:9}", "dim")


@cache
def marks() -> Mapping[str, str]:
    """The signs of the states of the entry machine, as its chart has them."""
    from taijitu.kernel.chart import whole
    from taijitu.machines.entry import ENTRY

    return {node.name: node.mark for node in whole(ENTRY).nodes if node.shape != "actor"}


def lasted(since: int, until: int) -> str:
    """How long after something something else was."""
    return f"+{words.span(max(0, until - since))}"
