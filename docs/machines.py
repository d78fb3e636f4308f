"""Writes `reference/machines.md`, and the chart in the README: the machines, as they answer.

python docs/machines.py            write it
python docs/machines.py --check    fail if it is not what the machines say
"""

import inspect
import sys
from pathlib import Path

from taijitu.kernel.chart import Answers, about, everything, states_only, whole
from taijitu.kernel.machine import Machine
from taijitu.kernel.mermaid import mermaid
from taijitu.kernel.survey import survey
from taijitu.kernel.table import AMENDED, NOTHING, REFUSED, as_markdown, table
from taijitu.machines import MACHINES

PAGE = Path(__file__).parent / "reference" / "machines.md"
README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- the chart of entry -->\n", "<!-- end of chart -->\n"

HEAD = f"""\
# The machines

Everything on this page is derived from the machines by asking them: each state is shown each
message, in many samples, and what comes back is written down here. It is made by
`python docs/machines.py`, and a test keeps it true.

**Tables.** Rows are states, columns are messages. A name is the state that follows, with a new
plan (its own name where only its values change); `{AMENDED}` the state changes and its plan goes
on; `{NOTHING}` nothing, deliberately; `{REFUSED}` refused, with an error. Where the values decide,
all that may happen is named.

**Charts.** Solid arrows are messages from outside (📬). Dotted ones are effects: a task that a
state asks an actor for (⚙️), what follows once it has succeeded (✅) or has not (❌), and the
receipt of a task that someone else does (♻️). 🚦 is a state in progress, 🏁 a good end, 🚫 a
failure, ⏱️ and 💻 are the actors that wait: for a time, or for a person. The dot, or the
circle, is where a cell begins. What leaves a dashed box leaves every state in it.
"""


def page() -> str:
    return HEAD + "".join(section(machine) for machine in MACHINES.values())


def pages() -> dict[Path, str]:
    """What each file should say."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    drawn = f"```mermaid\n{mermaid(whole(MACHINES['entry']))}```\n"
    return {PAGE: page(), README: before + BEGIN + drawn + END + after}


def section(machine: Machine) -> str:
    """One machine: its own words, its table, its plans, its charts."""
    words = inspect.getdoc(inspect.getmodule(machine.update)) or ""
    answers = Answers(survey(machine))
    parts = [
        f"\n## {machine.name}\n\n{words}\n",
        f"\n### The table of {machine.name}\n\n{as_markdown(table(machine))}",
        plans(machine, answers),
        chart(f"The chart of {machine.name}", mermaid(whole(machine))),
    ]
    complete = everything(machine)
    if complete != whole(machine):
        parts.append(chart(f"All that {machine.name} asks for", mermaid(complete)))
    if answers.ever_sent:
        parts.append(chart(f"The states of {machine.name}", mermaid(states_only(machine))))
        parts += (message(machine, name) for name in machine.messages)
    return "".join(parts)


def plans(machine: Machine, answers: Answers) -> str:
    """What each state may ask for, in the notation of plans."""
    lines = [
        f"| {state} | {'<br>'.join(f'`{pipeline.text()}`' for pipeline in pipelines)} |\n"
        for state, pipelines in answers.plans.items()
        if pipelines
    ]
    if not lines:
        return ""
    head = f"\n### The plans of {machine.name}\n\n| on the way to | may be asked for |\n"
    return head + "| --- | --- |\n" + "".join(lines)


def message(machine: Machine, name: str) -> str:
    """Where a message leads from one state to another."""
    drawn = about(machine, name)
    leads = any(arrow.source != arrow.target for arrow in drawn.arrows)
    return chart(f"`{name}`", mermaid(drawn)) if leads else ""


def chart(title: str, text: str) -> str:
    return f"\n### {title}\n\n```mermaid\n{text}```\n"


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    stale = [path for path, text in pages().items() if path.read_text(encoding="utf-8") != text]
    for path in stale:
        if arguments:
            sys.stderr.write(f"{path.name} is not what the machines say: run {__file__}\n")
        else:
            path.write_text(pages()[path], encoding="utf-8")
    return 1 if stale and arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
