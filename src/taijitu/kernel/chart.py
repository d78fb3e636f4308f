"""The chart of a machine, derived from what it answers: never drawn, so never wrong.

    📬 a message from outside (solid)       ⚙️ a task that a state asks an actor for (dotted)
    ✅ ❌ on, once a task has or has not succeeded       ♻️ the receipt of one that waits for a hint
    🚦 a state in progress     🏁 a good end     🚫 a failure     ⏱️ 💻 actors that wait

A state is *in progress* while what it has planned can still move it. A *failure* is a state at
rest from which things begin again as they do at first. No state says so of itself.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from taijitu.kernel.effect import NEVER, Task, tag
from taijitu.kernel.machine import Machine, State
from taijitu.kernel.record import Record
from taijitu.kernel.samples import plain
from taijitu.kernel.survey import Move, Pipeline, survey

CHARTS_MAX = 64
"""How many machines are remembered with their charts."""

Shape: TypeAlias = Literal["initial", "state", "actor"]
Line: TypeAlias = Literal["solid", "dotted"]

PROGRESS, GOOD, FAILURE = "🚦", "🏁", "🚫"
TIMER, AGENT = "⏱️", "💻"
MESSAGE, TASK, OK, ERROR, RECEIPT = "📬", "⚙️", "✅", "❌", "♻️"


class Node(Record):
    """A state, by the name of its class, or an actor. `group` is a class that states share.

    An initial state has a label only if there is more to it than that things begin there.
    """

    name: str
    shape: Shape
    mark: str = ""
    label: str = ""
    group: str = ""


class Arrow(Record):
    """`message` is what the arrow brings, or lies on the way to; empty for a task after which
    nothing is sent. `moves` is false where a message is answered and the plan goes on."""

    source: str
    label: str
    target: str
    line: Line
    message: str = ""
    moves: bool = True


class Chart(Record):
    """`lit` is the name of the state to show as the place of one object."""

    machine: str
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    lit: str = ""


# Views


def whole(machine: Machine) -> Chart:
    """All that leads from one state to another, through actors where they are asked."""
    return keep(derived(machine), lambda arrow: arrow.moves and bool(arrow.message))


def everything(machine: Machine) -> Chart:
    """The whole, and also the tasks that are asked for without waiting for their end."""
    return keep(derived(machine), lambda arrow: arrow.moves)


def states_only(machine: Machine) -> Chart:
    """States, and the messages that lead from one to another: solid from outside, else dotted."""
    return keep(between_states(machine), lambda arrow: arrow.source != arrow.target)


def about(machine: Machine, message: str) -> Chart:
    """What one message does, and the ways to it. Raises `KeyError` if the machine has no such
    message."""
    if message not in machine.messages:
        known = ", ".join(machine.messages)
        raise KeyError(f"{machine.name} hears no {message!r}; it hears {known}")
    return keep(derived(machine), lambda arrow: arrow.message == message)


def lit(chart: Chart, state: str | State) -> Chart:
    """The chart with one object's place lit. Raises `KeyError` if it has no such state."""
    name = state if isinstance(state, str) else type(state).__name__
    for node in chart.nodes:
        if node.name == name and node.shape != "actor":
            return Chart(chart.machine, chart.nodes, chart.arrows, name)
    raise KeyError(f"the chart of {chart.machine} shows no state {name!r}")


def keep(chart: Chart, wanted: Callable[[Arrow], bool]) -> Chart:
    """A part of a chart: some arrows, the states they touch, and the actors on their way."""
    arrows = tuple(arrow for arrow in chart.arrows if wanted(arrow))
    touched = {name for arrow in arrows for name in (arrow.source, arrow.target)}
    nodes = tuple(node for node in chart.nodes if node.name in touched)
    return Chart(chart.machine, nodes, arrows)


# How it is derived


@lru_cache(maxsize=CHARTS_MAX)
def derived(machine: Machine) -> Chart:
    """Every arrow there is. The views are parts of it."""
    answers = Answers(survey(machine))
    actors = {
        hop.actor: None
        for pipelines in answers.plans.values()
        for pipeline in pipelines
        for hop in pipeline.hops
    }
    waits = Waits(machine.tasks.values())
    arrows = dict.fromkeys((*from_outside(answers), *from_plans(answers, waits)))
    nodes = (*state_nodes(machine, answers), *(Node(a, "actor", waits.mark(a), a) for a in actors))
    return Chart(machine.name, nodes, tuple(arrows))


@lru_cache(maxsize=CHARTS_MAX)
def between_states(machine: Machine) -> Chart:
    answers = Answers(survey(machine))
    arrows = {
        Arrow(
            move.state,
            f"{MESSAGE} {move.message}",
            move.target,
            "dotted" if answers.is_sent(move.state, move.message) else "solid",
            move.message,
        ): None
        for move in answers.moves
        if moves(move)
    }
    return Chart(machine.name, state_nodes(machine, answers), tuple(arrows))


class Answers:
    """What a machine answers, and which plans may be in force in each state."""

    def __init__(self, moves: tuple[Move, ...]) -> None:
        self.moves = moves
        self.plans = plans_in_force(moves)
        self.sent = {
            state: {pipeline.message for pipeline in pipelines if pipeline.message}
            for state, pipelines in self.plans.items()
        }
        self.ever_sent = {message for sent in self.sent.values() for message in sent}

    def is_sent(self, state: str, message: str) -> bool:
        """The state's own plan sends it: then it does not come from outside."""
        return message in self.sent[state]

    def reached(self, state: str, message: str) -> tuple[str, ...]:
        """Where a message leads from a state."""
        here = [move for move in self.moves if (move.state, move.message) == (state, message)]
        return tuple(dict.fromkeys(move.target for move in here if moves(move)))

    def moves_to_itself(self, state: str) -> bool:
        """It holds something that messages change: more than a place to begin."""
        return any(moves(move) and move.target == state == move.state for move in self.moves)

    def is_in_progress(self, state: str) -> bool:
        return any(self.reached(state, message) for message in self.sent[state])

    def begins_like(self, state: str, initial: str) -> bool:
        """Some message leads from here to another state, the same that it first leads to."""
        return any(
            target not in (state, initial)
            for message in {move.message for move in self.moves}
            for target in self.reached(state, message)
            if target in self.reached(initial, message)
        )


def moves(move: Move) -> bool:
    """The state becomes another, or makes a new plan."""
    return move.answer == "become" or move.target != move.state


def plans_in_force(moves: Iterable[Move]) -> dict[str, dict[Pipeline, None]]:
    """The pipelines that may be under way in each state: those planned on the way in, and, where
    a state was amended into another, those that went on."""
    moves = list(moves)
    plans: dict[str, dict[Pipeline, None]] = {move.state: {} for move in moves}
    for move in moves:
        plans.setdefault(move.target, {}).update(dict.fromkeys(move.pipelines))
    amended = [move for move in moves if move.answer == "amend" and move.target != move.state]
    for _ in plans:
        for move in amended:
            plans[move.target] |= plans[move.state]
    return plans


def from_outside(answers: Answers) -> Iterator[Arrow]:
    """Messages that no plan of the state sends. One that no plan sends at all is also shown where
    it is answered without a move."""
    for move in answers.moves:
        label = f"{MESSAGE} {move.message}"
        if moves(move) and not answers.is_sent(move.state, move.message):
            yield Arrow(move.state, label, move.target, "solid", move.message)
        elif move.answer in ("stay", "amend") and move.message not in answers.ever_sent:
            yield Arrow(move.state, label, move.target, "solid", move.message, moves=False)


def from_plans(answers: Answers, waits: "Waits") -> Iterator[Arrow]:
    for state, pipelines in answers.plans.items():
        for pipeline in pipelines:
            yield from along(pipeline, state, answers, waits)


def along(pipeline: Pipeline, state: str, answers: Answers, waits: "Waits") -> Iterator[Arrow]:
    """The arrows of one pipeline: from task to task, and on to where its message leads."""
    at, mark, receipt = state, TASK, ""
    for hop in pipeline.hops:
        label = receipt or f"{mark} {hop.ability}"
        yield Arrow(at, label, hop.actor, "dotted", pipeline.message)
        at, mark = hop.actor, OK if hop.ok else ERROR
        receipt = ""
        if waits.for_hint(hop.ability):
            receipt = f"{RECEIPT} {hop.ability}" if hop.ok else f"{RECEIPT} {ERROR} {hop.ability}"
    if pipeline.message:
        label = receipt or f"{mark} {pipeline.message}"
        for target in answers.reached(state, pipeline.message):
            yield Arrow(at, label, target, "dotted", pipeline.message)


class Waits:
    """Which tasks wait for a time, and which for a hint: asked of a sample of each."""

    def __init__(self, tasks: Iterable[type[Task]]) -> None:
        ready = [(task, plain(task).ready_at()) for task in tasks]
        self.hinted = {tag(task) for task, at in ready if at >= NEVER}
        self.agents = {task.actor for task, at in ready if at >= NEVER}
        self.timers = {task.actor for task, at in ready if 0 < at < NEVER}

    def for_hint(self, ability: str) -> bool:
        return ability in self.hinted

    def mark(self, actor: str) -> str:
        return AGENT if actor in self.agents else TIMER if actor in self.timers else ""


def state_nodes(machine: Machine, answers: Answers) -> tuple[Node, ...]:
    initial = type(machine.initial).__name__
    kinds = machine.states.values()
    shared = [group_of(kind) for kind in kinds]
    nodes: list[Node] = []
    for kind in kinds:
        name, group = kind.__name__, group_of(kind)
        nodes.append(
            Node(
                name,
                "initial" if name == initial else "state",
                "" if name == initial else mark_of(name, initial, answers),
                "" if name == initial and not answers.moves_to_itself(name) else words(tag(kind)),
                group if shared.count(group) > 1 else "",
            )
        )
    return tuple(nodes)


def mark_of(state: str, initial: str, answers: Answers) -> str:
    if answers.is_in_progress(state):
        return PROGRESS
    return FAILURE if answers.begins_like(state, initial) else GOOD


def group_of(kind: type[Any]) -> str:
    """The class that a state class derives from, if it is not `State` itself."""
    base = kind.__bases__[0]
    return "" if base is State else base.__name__


def words(text: str) -> str:
    return text.replace("-", " ").replace("_", " ")
