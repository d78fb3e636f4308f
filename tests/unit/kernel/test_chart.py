"""Goal: charts and tables say what a machine does, whichever machine it is.

Method: a machine that the service does not have, drawn and compared line by line.
"""

import pytest

from taijitu.kernel.chart import Arrow, Node, about, everything, lit, states_only, whole
from taijitu.kernel.mermaid import identifier, mermaid, plain_text
from taijitu.kernel.table import as_markdown, as_text, table
from unit.kernel.door import DOOR, Jammed

WHOLE = """\
flowchart LR
Shut(("shut"))
Opening(["🚦 opening"])
Open(["🚦 wide open"])
the_motor{{"the motor"}}
clock{{"⏱️ clock"}}
person{{"💻 person"}}
subgraph Broken[" "]
Jammed(["🚫 jammed"])
Overheated(["🚫 overheated"])
end
Shut -- "📬 door/push" --> Opening
Shut -- "📬 door/paint" --> Shut
Broken -- "📬 door/push" --> Opening
Opening -. "⚙️ motor/turn" .-> the_motor
the_motor -. "✅ door/swing" .-> Open
the_motor -. "❌ door/jam" .-> Jammed
Opening -. "⚙️ clock/wait" .-> clock
clock -. "✅ door/overheat" .-> Overheated
Open -. "⚙️ person/pass" .-> person
person -. "♻️ person/pass" .-> Shut
style Broken fill:none,stroke:#888,stroke-dasharray:4 4
"""

STATES = """\
flowchart LR
Shut(("shut"))
Opening(["🚦 opening"])
Open(["🚦 wide open"])
subgraph Broken[" "]
Jammed(["🚫 jammed"])
Overheated(["🚫 overheated"])
end
Shut -- "📬 door/push" --> Opening
Opening -. "📬 door/swing" .-> Open
Opening -. "📬 door/jam" .-> Jammed
Opening -. "📬 door/overheat" .-> Overheated
Open -. "📬 door/close" .-> Shut
Broken -- "📬 door/push" --> Opening
style Broken fill:none,stroke:#888,stroke-dasharray:4 4
"""

TABLE = """\
            door/push  door/swing  door/jam  door/overheat  door/close  door/paint
Shut        Opening    ·           ·         ·              ·           Shut / ·
Opening     · / ✗      Open        Jammed    Overheated     ·           + / ·
Open        ·          ·           ·         ·              Shut        + / ·
Jammed      Opening    ·           ·         ·              ·           ·
Overheated  Opening    ·           ·         ·              ·           ·
"""


def test_the_whole_chart_of_a_door() -> None:
    assert mermaid(whole(DOOR)) == WHOLE


def test_the_states_of_a_door() -> None:
    assert mermaid(states_only(DOOR)) == STATES


def test_the_table_of_a_door() -> None:
    assert as_text(table(DOOR)) == TABLE
    assert table(DOOR).cell("Opening", "door/jam") == ("Jammed",)
    head, line, shut, *_ = as_markdown(table(DOOR)).splitlines()
    assert head.startswith("|  | door/push | door/swing |")
    assert line == "| --- | --- | --- | --- | --- | --- | --- |"
    assert shut == "| Shut | Opening | · | · | · | · | Shut / · |"


def test_everything_also_shows_tasks_that_nothing_follows() -> None:
    extra = set(everything(DOOR).arrows) - set(whole(DOOR).arrows)
    assert extra == {
        Arrow(state, "⚙️ bell/ring", "bell", "dotted") for state in ("Open", "Jammed", "Overheated")
    }


def test_one_message_is_shown_with_the_ways_to_it() -> None:
    chart = about(DOOR, "door/jam")
    assert chart.arrows == (
        Arrow("Opening", "⚙️ motor/turn", "the motor", "dotted", "door/jam"),
        Arrow("the motor", "❌ door/jam", "Jammed", "dotted", "door/jam"),
    )
    assert [node.name for node in chart.nodes] == ["Opening", "Jammed", "the motor"]


def test_one_message_is_shown_where_it_is_answered_without_a_move() -> None:
    still = {arrow.source for arrow in about(DOOR, "door/paint").arrows if not arrow.moves}
    assert still == {"Shut", "Opening", "Open", "Jammed", "Overheated"}


def test_a_message_that_the_machine_does_not_hear_is_refused() -> None:
    with pytest.raises(KeyError, match="door hears no 'door/slam'; it hears door/push"):
        about(DOOR, "door/slam")


def test_the_place_of_one_object_is_lit() -> None:
    chart = lit(whole(DOOR), Jammed("red"))
    assert chart == lit(whole(DOOR), "Jammed")
    last = mermaid(chart).splitlines()[-1]
    assert last.startswith("style Jammed fill:#ffd54f")


@pytest.mark.parametrize("name", ["Ajar", "the motor"])
def test_only_a_state_of_the_chart_can_be_lit(name: str) -> None:
    with pytest.raises(KeyError, match="shows no state"):
        lit(whole(DOOR), name)


def test_words_of_mermaid_do_not_name_nodes() -> None:
    assert [identifier(name) for name in ("end", "End", "a b", "S3")] == [
        "end_",
        "End_",
        "a_b",
        "S3",
    ]


def test_a_label_is_never_markup() -> None:
    assert plain_text('<b>"#1"</b>') == "#lt;b#gt;#quot;#35;1#quot;#lt;/b#gt;"


def test_a_state_at_rest_that_is_no_failure_is_a_good_end() -> None:
    assert Node("Shut", "initial", "", "shut") in whole(DOOR).nodes
    marks = {node.name: node.mark for node in whole(DOOR).nodes}
    assert (marks["Opening"], marks["Jammed"]) == ("🚦", "🚫")
