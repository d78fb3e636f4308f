"""Goal: charts and tables come out as they were asked for, and fit where they are shown."""

import sys

import pytest

from taijitu.cli.chart import ALIASES, HERE, bands, light, marked
from taijitu.cli.trouble import Refusal
from taijitu.kernel.chart import about, everything, states_only, whole
from taijitu.kernel.mermaid import mermaid
from taijitu.kernel.table import LEGEND, as_text, table
from taijitu.machines import MACHINES
from taijitu.machines.entry import ENTRY
from unit.cli.running import Run


def test_the_chart_and_the_table_of_the_store_machine_come_first(run: Run) -> None:
    ended = run("chart")
    assert ended.code == 0
    assert ended.out.startswith(mermaid(whole(ENTRY)))
    assert as_text(table(ENTRY)) in ended.out
    assert ended.out.endswith(f"{LEGEND}\n")


@pytest.mark.parametrize("name", [*MACHINES, *ALIASES])
def test_every_machine_has_a_chart_and_a_table(run: Run, name: str) -> None:
    machine = MACHINES[ALIASES.get(name, name)]
    assert run("chart", name, "--mermaid").out == mermaid(whole(machine))
    assert run("chart", name, "--table").out == f"{as_text(table(machine))}\n{LEGEND}\n"


def test_states_and_messages_have_charts_of_their_own(run: Run) -> None:
    assert run("chart", "--states", "--mermaid").out == mermaid(states_only(ENTRY))
    assert run("chart", "--message", "store/add", "--mermaid").out == mermaid(
        about(ENTRY, "store/add")
    )


def test_what_is_asked_of_others_without_waiting_is_drawn_as_well(run: Run) -> None:
    drawn = run("chart", "--all", "--mermaid").out
    assert drawn == mermaid(everything(ENTRY))
    assert 'Stored -. "⚙️ contents/describe" .-> contents' in drawn


def test_all_machines_are_listed_by_the_names_that_they_go_by(run: Run) -> None:
    listed = [line.split()[0] for line in run("chart", "--list").out.splitlines() if line[0] != " "]
    assert listed == ["store" if name == "entry" else name for name in MACHINES]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_a_table_is_cut_into_bands_that_together_are_the_table(width: int) -> None:
    wide = table(ENTRY)
    cut = bands(wide, width)
    assert [message for band in cut for message in band.messages] == list(wide.messages)
    for row in range(len(wide.states)):
        assert [cell for band in cut for cell in band.cells[row]] == list(wide.cells[row])


def test_bands_fit_the_terminal_and_are_as_few_as_can_be() -> None:
    cut = bands(table(ENTRY), 80)
    lines = [line for band in cut for line in as_text(marked(band, "Stored")).splitlines()]
    assert max(map(len, lines)) <= 80
    assert len(cut) == 2
    assert len(bands(table(ENTRY), 200)) == 1
    assert len(bands(table(ENTRY), None)) == 1


def test_the_row_of_the_place_is_marked_and_no_other() -> None:
    rows = as_text(marked(table(ENTRY), "Receiving")).splitlines()
    assert [row.split()[1] for row in rows if row.startswith(HERE)] == ["Receiving"]


def test_a_place_that_a_chart_does_not_show_is_refused() -> None:
    with pytest.raises(Refusal, match="Stored"):
        light(about(ENTRY, "store/exceed"), "Stored")


def test_a_terminal_gets_lines_that_fit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert max(map(len, run("chart", "--table").out.splitlines())) <= 80
