"""`taijitu chart`: the machines, drawn from the code that runs.

On a terminal the table is cut into bands that fit; piped, it is one piece.
"""

import shutil
import sys
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from taijitu.cli import words
from taijitu.cli.trouble import Misuse, Refusal

if TYPE_CHECKING:
    from taijitu.kernel.chart import Chart
    from taijitu.kernel.machine import Machine
    from taijitu.kernel.table import Table

ALIASES: Final = {"store": "entry"}
"""What a machine is also called: by the protocol that it serves."""

HERE: Final = "▶ "
"""Stands before the row of the state that is lit."""


def chart(
    machine: str = "store",
    /,
    *,
    states: bool = False,
    message: str | None = None,
    all_: Annotated[bool, Parameter(name="--all", negative=())] = False,
    at: tuple[str, str] | None = None,
    mermaid: bool = False,
    table: bool = False,
    list_: Annotated[bool, Parameter(name="--list")] = False,
) -> None:
    """Draw a machine from its code: a Mermaid chart and a table of its transitions.

    Solid arrows are messages from outside (📬), dotted ones are effects: tasks (⚙️), what follows
    when they succeed (✅) or fail (❌), and receipts (♻️).

    Parameters
    ----------
    machine
        store (also called entry), or any other that --list names.
    states
        Draw states and messages only, without actors.
    message
        Draw only what one message does, as in --message store/add.
    all_
        Draw also what is asked of others without waiting for it, as that CARs are looked through.
    at
        A space and a CID: show where this object is now.
    mermaid
        Print the chart alone, for a Mermaid viewer.
    table
        Print the table alone.
    list_
        List the machines.
    """
    from taijitu.kernel.mermaid import mermaid as as_mermaid

    if list_:
        print(listed())
        return
    if states + all_ + (message is not None) > 1:
        raise Misuse("--states, --message and --all are different charts: choose one")
    found = named(machine)
    drawn = draw(found, states, message, all_)
    place = "" if at is None else place_of(found, *at)
    if place and not table:
        drawn = light(drawn, place)
    pieces = [
        *([f"{at[1]} in {at[0]}: {place}\n"] if at and not mermaid and not table else []),
        *([as_mermaid(drawn)] if mermaid or not table else []),
        *([tabled(found, place)] if table or not mermaid else []),
    ]
    print("\n".join(pieces), end="")


def named(name: str) -> "Machine":
    """A machine by its name. Raises `Misuse`."""
    from taijitu.machines import MACHINES

    machine = MACHINES.get(ALIASES.get(name, name))
    if machine is None:
        known = ", ".join((*ALIASES, *MACHINES))
        raise Misuse(f"there is no machine {name!r}; there is {known}")
    return machine


def draw(machine: "Machine", states: bool, message: str | None, all_: bool) -> "Chart":
    """The view that was asked for. Raises `Misuse` for a message that the machine does not
    know."""
    from taijitu.kernel.chart import about, everything, states_only, whole

    if message is None:
        if states:
            return states_only(machine)
        return everything(machine) if all_ else whole(machine)
    if message not in machine.messages:
        known = ", ".join(machine.messages)
        raise Misuse(f"{machine.name} hears no {message!r}; it hears {known}")
    return about(machine, message)


def place_of(machine: "Machine", space: str, cid: str) -> str:
    """The name of the state that an object of a space is in. Raises `Misuse` or `Refusal`."""
    from taijitu.cli.reach import ask

    if machine.name != ALIASES["store"]:
        raise Misuse("--at shows the place of an object, which is in the chart of store only")
    return ask("place", space=space, cid=cid)["state"]


def light(drawn: "Chart", place: str) -> "Chart":
    """The chart with one state lit, if that state is in it. Raises `Refusal`."""
    from taijitu.kernel.chart import lit

    if all(node.name != place for node in drawn.nodes):
        raise Refusal(f"the object is {place}, which this chart does not show: leave out --message")
    return lit(drawn, place)


def listed() -> str:
    """All machines, with what each is about."""
    from taijitu.machines import MACHINES

    aliases = {name: alias for alias, name in ALIASES.items()}
    return words.paragraphs(
        [(aliases.get(name, name), subject(machine)) for name, machine in MACHINES.items()]
    )


def subject(machine: "Machine") -> str:
    """The first sentence with which a machine's file begins, without its name."""
    text = sys.modules[machine.update.__module__].__doc__ or ""
    return text.partition(": ")[2].partition(".")[0]


def tabled(machine: "Machine", place: str) -> str:
    """The table of a machine, as wide as the terminal allows, and how to read it."""
    from taijitu.kernel.table import LEGEND, as_text, table

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    pieces = [as_text(marked(band, place)) for band in bands(table(machine), width)]
    return "\n".join([*pieces, f"{LEGEND}\n"])


def marked(table: "Table", place: str) -> "Table":
    """The table with a mark before the row of one state."""
    from msgspec.structs import replace

    if not place:
        return table
    names = tuple(f"{HERE if name == place else ' ' * len(HERE)}{name}" for name in table.states)
    return replace(table, states=names)


def bands(table: "Table", width: int | None) -> "list[Table]":
    """The table, cut between columns so that each part is no wider than `width` where that can
    be had."""
    rest, parts = len(table.messages), list["Table"]()
    start = 0
    while start < rest:
        end = start + 1
        while end < rest and fits(part(table, start, end + 1), width):
            end += 1
        parts.append(part(table, start, end))
        start = end
    return parts


def part(table: "Table", start: int, end: int) -> "Table":
    """Some columns of a table."""
    from msgspec.structs import replace

    cells = tuple(row[start:end] for row in table.cells)
    return replace(table, messages=table.messages[start:end], cells=cells)


def fits(table: "Table", width: int | None) -> bool:
    from taijitu.kernel.table import as_text

    if width is None:
        return True
    return max(map(len, as_text(marked(table, table.states[0])).splitlines())) <= width
