"""Goal: the shipped machines are total and lawful, and do what their tables say.

Method: `update` is called for every sample of every pair. The tables beside this file are kept by
hand: a change of a machine shows here first.
"""

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from taijitu.kernel.chart import PROGRESS, Arrow, everything, whole
from taijitu.kernel.machine import Machine
from taijitu.kernel.plan import NOTHING, plan
from taijitu.kernel.receipt import Error
from taijitu.kernel.samples import pairs
from taijitu.kernel.shape import sends
from taijitu.kernel.survey import survey
from taijitu.kernel.table import as_text, table
from taijitu.machines import MACHINES

HERE = Path(__file__).parent
DOCS = HERE.parent.parent / "docs" / "machines.py"

each_machine = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)


@each_machine
def test_every_message_has_a_lawful_answer_in_every_state(machine: Machine) -> None:
    """No change of state asks for nothing; a refusal changes nothing; a plan can be made of what
    is asked, and asks for and sends only what the machine declares; what goes on plans nothing."""
    for state, message in pairs(machine):
        step = machine.update(state, message)
        where = f"{state!r} at {message!r}"
        if step.state == state:
            assert not step.effects, where
            continue
        assert not isinstance(step.reply, Error), where
        assert type(step.state) in machine.states.values(), where
        made = plan(step.effects)
        assert made == NOTHING or not step.goes_on, where
        assert {type(task) for task in made.tasks} <= set(machine.tasks.values()), where
        sent = {message.message for each in made.pipelines if (message := sends(each))}
        assert sent <= set(machine.messages), where


@each_machine
def test_the_samples_walk_every_arm(machine: Machine) -> None:
    """Every `return` of every function of the machine's file that is called at all is reached."""
    source = inspect.getsourcefile(machine.update)
    assert source is not None
    reached: dict[str, set[int]] = {}

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != source:
            return None
        reached.setdefault(frame.f_code.co_name, set()).add(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for state, message in pairs(machine):
            machine.update(state, message)
    finally:
        sys.settrace(before)
    functions = [
        node
        for node in ast.walk(ast.parse(Path(source).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name in reached
    ]
    assert "update" in {function.name for function in functions}
    for function in functions:
        returns = {node.lineno for node in ast.walk(function) if isinstance(node, ast.Return)}
        missed = returns - reached[function.name]
        assert not missed, f"{source}: nothing returns from lines {sorted(missed)}"


@each_machine
def test_the_table_is_the_one_that_was_agreed(machine: Machine) -> None:
    agreed = (HERE / f"{machine.name}.txt").read_text(encoding="utf-8")
    assert as_text(table(machine)) == agreed


def test_every_agreed_table_has_its_machine() -> None:
    assert {path.stem for path in HERE.glob("*.txt")} == set(MACHINES)


@each_machine
def test_every_move_is_an_arrow_of_the_chart(machine: Machine) -> None:
    """A move is drawn from its state if it comes from outside, else at the end of a pipeline."""
    chart = everything(machine)
    drawn = {(arrow.message, arrow.target) for arrow in chart.arrows}
    for move in survey(machine):
        if move.answer == "become":
            assert (move.message, move.target) in drawn


def test_the_reference_is_what_the_machines_say() -> None:
    check = [sys.executable, str(DOCS), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False, env=with_sources())
    assert (done.returncode, done.stderr) == (0, "")


def with_sources() -> dict[str, str]:
    return {"PYTHONPATH": str(DOCS.parent.parent / "src"), "PYTHONUTF8": "1"}


def test_the_chart_of_an_entry_holds_the_chart_that_the_project_began_with() -> None:
    """The ten arrows of the first drawing. Only the agent's place to put the bytes is now asked
    for in a task of its own (`s3/presign`), and we look once more before an upload expires."""
    first = {
        ("Absent", "📬 store/add", "Active", "solid"),
        ("Active", "⚙️ storage/allocate", "storage provider", "dotted"),
        ("storage provider", "❌ store/exceed", "ExceedsLimit", "dotted"),
        ("storage provider", "✅ s3/stat", "S3", "dotted"),
        ("S3", "✅ store/put", "Stored", "dotted"),
        ("S3", "❌ s3/presign", "S3", "dotted"),
        ("S3", "✅ store/receive", "Receiving", "dotted"),
        ("Receiving", "⚙️ s3/put", "agent", "dotted"),
        ("agent", "♻️ s3/put", "Stored", "dotted"),
        ("Receiving", "⚙️ task/sleep", "timer", "dotted"),
        ("timer", "✅ s3/stat", "S3", "dotted"),
        ("S3", "❌ store/expire", "Expired", "dotted"),
    }
    arrows = whole(MACHINES["entry"]).arrows
    assert first <= {(arrow.source, arrow.label, arrow.target, arrow.line) for arrow in arrows}


def test_an_entry_is_shown_as_the_first_drawing_shows_it() -> None:
    marks = {node.name: (node.shape, node.mark) for node in whole(MACHINES["entry"]).nodes}
    assert marks["Absent"] == ("initial", "")
    assert marks["Active"] == marks["Receiving"] == ("state", PROGRESS)
    assert marks["Stored"] == ("state", "🏁")
    assert marks["ExceedsLimit"] == marks["Expired"] == ("state", "🚫")
    assert marks["agent"] == ("actor", "💻")
    assert marks["timer"] == ("actor", "⏱️")


def test_lost_bytes_are_told_from_outside() -> None:
    lost = Arrow("Stored", "📬 store/fail", "Lost", "solid", "store/fail")
    assert lost in whole(MACHINES["entry"]).arrows
