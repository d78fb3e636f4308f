"""The transition table of a machine: states down, messages across, derived from what it answers.

    Stored     moves there, with a new plan        +     the state changes and its plan goes on
    ·          nothing, deliberately               ✗     refused, with an error

Where the values decide, a cell holds all that may happen, as in `Stored / SizeMismatch`. A state
moves to its own name when its values change and it plans anew.
"""

from collections.abc import Sequence

from taijitu.kernel.machine import Machine
from taijitu.kernel.record import Record
from taijitu.kernel.survey import Move, survey

NOTHING, AMENDED, REFUSED = "·", "+", "✗"

LEGEND = f"{AMENDED} the state changes, its plan goes on   {NOTHING} nothing   {REFUSED} refused"


class Table(Record):
    """`cells[row][column]` is what happens in that state at that message, in the order: states,
    amendments, nothing, refusals."""

    machine: str
    states: tuple[str, ...]
    messages: tuple[str, ...]
    cells: tuple[tuple[tuple[str, ...], ...], ...]

    def cell(self, state: str, message: str) -> tuple[str, ...]:
        """Raises `ValueError` for a state or message that the table does not have."""
        return self.cells[self.states.index(state)][self.messages.index(message)]


def table(machine: Machine) -> Table:
    states = tuple(kind.__name__ for kind in machine.states.values())
    messages = tuple(machine.messages)
    happening: dict[tuple[str, str], dict[str, None]] = {}
    for move in survey(machine):
        happening.setdefault((move.state, move.message), {})[sign(move)] = None
    order = {name: place for place, name in enumerate((*states, AMENDED, NOTHING, REFUSED))}

    def cell(state: str, message: str) -> tuple[str, ...]:
        return tuple(sorted(happening[state, message], key=lambda sign: order.get(sign, 0)))

    cells = tuple(tuple(cell(state, message) for message in messages) for state in states)
    return Table(machine.name, states, messages, cells)


def sign(move: Move) -> str:
    match move.answer:
        case "become":
            return move.target
        case "amend":
            return AMENDED if move.target == move.state else f"{AMENDED}{move.target}"
        case "stay":
            return NOTHING
        case "refuse":
            return REFUSED


def as_text(table: Table) -> str:
    """The table in columns, for a terminal."""
    rows = rows_of(table)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        + "\n"
        for row in rows
    )


def as_markdown(table: Table) -> str:
    """The table as Markdown understands it."""
    head, *rows = rows_of(table)
    lines = [markdown_row(head), markdown_row(["---"] * len(head)), *map(markdown_row, rows)]
    return "\n".join(lines) + "\n"


def rows_of(table: Table) -> list[list[str]]:
    """With its headings, as text."""
    rows = [["", *table.messages]]
    for state, cells in zip(table.states, table.cells, strict=True):
        rows.append([state, *(" / ".join(cell) for cell in cells)])
    return rows


def markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
