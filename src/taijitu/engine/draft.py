"""A transaction while it is being written: synchronous, and nothing but a computation.

It reads heads and plans through a `Source`, runs `update`, asks the cells that a plan asks, settles
what can be settled at once, delivers what that sends, and repeats until only worldly tasks are
left. What comes out is one `Batch`. It may be thrown away and run again at any moment.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from taijitu.engine.actor import Actors, Finding
from taijitu.engine.cell import (
    Head,
    Machines,
    Progress,
    encode_progress,
    machine_of,
    path_text,
)
from taijitu.engine.rows import head_change, list_changes, task_row
from taijitu.engine.storage import Batch, PlanChange, ReceiptRow, SliceRow, TaskKey
from taijitu.ipld.cid import Link, link_to
from taijitu.kernel import codec
from taijitu.kernel.effect import (
    Effect,
    Message,
    Not,
    Path,
    Ref,
    Request,
    Task,
    Then,
    tag,
)
from taijitu.kernel.failures import Bug, Fault
from taijitu.kernel.machine import State, Step
from taijitu.kernel.plan import Due, filled, plan
from taijitu.kernel.receipt import Error, Receipt
from taijitu.kernel.shape import awaiting

ROUNDS_MAX = 16
"""How often one plan may be asked what is due, within one transaction."""

TRANSITIONS_MAX = 64
"""How many transitions one transaction may make."""


class Unread(Exception):
    """The transaction needs a head (by path), a plan (by its transition) or a receipt (by what it
    answers) that is not at hand."""

    def __init__(
        self, *, path: Path | None = None, plan: Link | None = None, receipt: Link | None = None
    ) -> None:
        super().__init__(path, plan, receipt)
        self.path = path
        self.plan = plan
        self.receipt = receipt


class Source(Protocol):
    """The newest heads, plans and receipts, committed or not. Raises `Unread` for what is not at
    hand."""

    def head(self, path: Path) -> Head: ...

    def progress(self, planned: Link) -> Progress: ...

    def receipt(self, task: Link) -> bytes | None: ...


class Testimony(NamedTuple):
    """What is to be known of a transition outside: receipts by what they answer, and the blocks
    that they mention."""

    receipts: Mapping[Link, bytes]
    blocks: Mapping[Link, bytes]


Witness = Callable[[State, codec.Transition], Testimony | None]
"""Told of each transition, with the state before: which promises it keeps. Pure: it may be told
again. A receipt that was given before stands."""


def nobody(_before: State, _transition: codec.Transition) -> None:
    """No promises were made."""


Seal = Callable[[codec.Transition], tuple[Link, bytes]]
"""Turns a transition into a block and its link."""


def seal(transition: codec.Transition) -> tuple[Link, bytes]:
    block = codec.encode(transition)
    return link_to(block), block


class Draft:
    """One transaction, at the time `at` (ms since 1970). `cause` is the invocation that asks for
    it, if one does: all transitions name it."""

    def __init__(
        self,
        machines: Machines,
        actors: Actors,
        source: Source,
        at: int,
        *,
        cause: Link | None = None,
        witness: Witness = nobody,
        seal: Seal = seal,
    ) -> None:
        self.machines = machines
        self.actors = actors
        self.source = source
        self.at = at
        self.cause = cause
        self.witness = witness
        self.seal = seal
        self.found: dict[Path, Head] = {}
        self.heads: dict[Path, Head] = {}
        self.found_plans: dict[Link, Progress] = {}
        self.plans: dict[Link, Progress] = {}
        self.transitions: list[tuple[Link, bytes, codec.Transition]] = []
        self.receipts: dict[Link, bytes] = {}
        """Receipts of invocations and promised tasks that become true with this transaction."""
        self.blocks: dict[Link, bytes] = {}
        """Other blocks that are kept with it: what its receipts mention."""
        self.slices: list[SliceRow] = []
        """Facts about bytes that become true with it."""

    # Reading

    def head(self, path: Path) -> Head:
        """The cell as this transaction sees it. From now on the commit depends on it."""
        head = self.heads.get(path)
        if head is None:
            head = self.found.get(path)
        if head is None:
            head = self.found[path] = self.source.head(path)
        return head

    def view(self, path: Path) -> State:
        return self.head(path).state

    def progress(self, planned: Link) -> Progress:
        progress = self.plans.get(planned)
        if progress is None:
            progress = self.plans[planned] = self.source.progress(planned)
            self.found_plans[planned] = progress
        return progress

    def is_heard(self, planned: Link, progress: Progress) -> bool:
        """The fence: a plan is heard only while it is the current plan of its cell."""
        return self.head(progress.path).planned == planned

    # Writing

    def hear(self, path: Path, message: Message | Request) -> Receipt:
        """Let a cell hear a message; run what it plans. Answers the reply of `update`, or, to a
        request, the error of what the cell had to ask for in turn."""
        head = self.head(path)
        step: Step[Any] = head.machine.update(head.state, message)
        if step.state == head.state:
            if step.effects:
                raise Bug(f"{path_text(path)} asks for effects without a change of state")
            return step.reply
        if isinstance(step.reply, Error):
            raise Bug(f"{path_text(path)} changes its state and refuses at once")
        planned = self.move(head, message, step)
        if step.goes_on:
            return step.reply
        refused = self.run(planned)
        return refused if refused and isinstance(message, Request) else step.reply

    def settle(self, planned: Link, index: int, receipt: Receipt) -> bool:
        """Record how a task went and go on from there. False if that is no longer of interest."""
        progress = self.progress(planned)
        if index not in self.due(planned).tasks:
            return False
        self.plans[planned] = progress.with_receipt(index, receipt)
        self.run(planned)
        return True

    def move(self, head: Head, message: Message | Request, step: Step[Any]) -> Link:
        """Make the transition. Answers the transition whose plan is now current."""
        if len(self.transitions) >= TRANSITIONS_MAX:
            raise Bug(f"more than {TRANSITIONS_MAX} transitions in one transaction")
        if head.planned is not None:
            self.progress(head.planned)
        made = head.planned if step.goes_on else plan(step.effects)
        if made is None:
            raise Bug(f"{path_text(head.path)} has no plan that could go on")
        transition = codec.Transition(
            head.machine,
            head.path,
            head.seq + 1,
            head.cid,
            self.at,
            self.cause,
            message,
            step.state,
            made,
        )
        link, block = self.seal(transition)
        self.transitions.append((link, block, transition))
        if isinstance(made, Link):
            planned = made
        else:
            planned = link
            self.plans[link] = Progress(head.path, made)
        self.heads[head.path] = Head(
            head.machine, head.path, link, head.seq + 1, step.state, planned
        )
        self.testify(head.state, transition)
        return planned

    def testify(self, before: State, transition: codec.Transition) -> None:
        """Keep the promises that a transition keeps."""
        testimony = self.witness(before, transition)
        if testimony is not None:
            self.give(testimony)

    def give(self, testimony: Testimony) -> None:
        """Let receipts become true with this transaction; those that were given before stand."""
        self.blocks.update(testimony.blocks)
        for task, receipt in testimony.receipts.items():
            if task not in self.receipts and self.source.receipt(task) is None:
                self.receipts[task] = receipt

    def run(self, planned: Link) -> Error | None:
        """Do all that a plan asks for and that needs no waiting. Answers the error of a pipeline
        that failed and sends nothing, if there is one: whoever asked for it is refused."""
        waiting: set[int] = set()
        for _ in range(ROUNDS_MAX):
            progress = self.progress(planned)
            question = progress.due(self.is_heard(planned, progress))
            if not self.advance(planned, progress, question, waiting):
                return failure_of(progress, question) if question.failed else None
        raise Bug(f"a plan of {path_text(self.progress(planned).path)} does not come to rest")

    def advance(self, planned: Link, progress: Progress, question: Due, waiting: set[int]) -> bool:
        """Deliver one message, or settle every task that can be settled at once. Those that can
        not are added to `waiting`, and not asked again."""
        for pipeline in question.messages:
            self.deliver(planned, pipeline)
            return True
        settled = progress
        for index in question.tasks:
            if index in waiting:
                continue
            receipt = self.answer(complete(progress, index))
            if receipt is None:
                waiting.add(index)
            else:
                settled = settled.with_receipt(index, receipt)
        if settled is progress:
            return False
        self.plans[planned] = settled
        return True

    def deliver(self, planned: Link, pipeline: int) -> None:
        progress = self.progress(planned)
        self.plans[planned] = progress.with_delivery(pipeline)
        template = progress.plan.shape.ends[pipeline]
        assert template is not None
        fields = {name: filled(value, progress.receipts) for name, value in template.fields}
        machine = machine_of(self.machines, progress.path)
        message = codec.decode_message(machine, {"do": template.message, **fields}, self.at)
        self.hear(progress.path, message)

    def answer(self, task: Task) -> Receipt | None:
        if isinstance(task, Request):
            return self.ask(task)
        actor = self.actors.get(tag(type(task)))
        try:
            answer = actor.prompt(task, self.view, self.at) if actor is not None else None
        except Fault:
            return None
        if isinstance(answer, Finding):
            self.slices += answer.slices
            return answer.receipt
        return answer

    def ask(self, request: Request) -> Receipt:
        """Let another cell answer. If it refuses, or what it asks in turn is refused, then
        nothing of this request has happened."""
        heads, plans = dict(self.heads), dict(self.plans)
        transitions, slices = len(self.transitions), len(self.slices)
        reply = self.hear(request.cell(), request)
        if isinstance(reply, Error):
            self.heads, self.plans = heads, plans
            del self.transitions[transitions:], self.slices[slices:]
        return reply

    def task(self, planned: Link, index: int) -> Task:
        """A task of a plan, with what it awaits filled in."""
        return complete(self.progress(planned), index)

    def due(self, planned: Link) -> Due:
        progress = self.progress(planned)
        return progress.due(self.is_heard(planned, progress))

    # What comes out

    def batch(self) -> Batch:
        """Everything that this transaction makes true."""
        batch = Batch(blocks=[(link.data, block) for link, block, _ in self.transitions])
        batch.blocks += [(link.data, block) for link, block in self.blocks.items()]
        batch.slices += self.slices
        for task, receipt in self.receipts.items():
            batch.receipts[task.data] = ReceiptRow(task.data, receipt, self.at)
        for path, head in self.found.items():
            if path not in self.heads:
                batch.reads[path_text(path)] = head.seq
        for path, head in self.heads.items():
            text = path_text(path)
            batch.heads[text] = head_change(text, self.found[path].seq, head)
            batch.lists += list_changes(text, self.found[path], head)
        for planned, progress in list(self.plans.items()):
            self._write_plan(batch, planned, progress)
        return batch

    def _write_plan(self, batch: Batch, planned: Link, progress: Progress) -> None:
        found = self.found_plans.get(planned)
        if found is None and not progress.plan.tasks:
            return
        before = found.due(self._was_current(planned, found)).tasks if found else ()
        after = progress.due(self.is_heard(planned, progress)).tasks
        if after != before:
            self._write_tasks(batch, planned, progress, before, after)
        known = found or Progress(progress.path, progress.plan)
        if progress is found or progress.says_the_same_as(known):
            return
        changed = self.plans[planned] = progress.at_version(known.version + 1)
        batch.plans[planned.data] = PlanChange(
            planned.data,
            path_text(progress.path),
            known.version,
            changed.version,
            encode_progress(changed),
        )

    def _write_tasks(
        self,
        batch: Batch,
        planned: Link,
        progress: Progress,
        before: Sequence[int],
        after: Sequence[int],
    ) -> None:
        """The tasks of a plan that are open no longer, and those that have come to be."""
        for index in before:
            if index not in after:
                batch.closed.append(TaskKey(planned.data, index))
        for index in after:
            if index not in before:
                row = task_row(planned, index, complete(progress, index), progress.path, self.at)
                batch.opened[row.key] = row

    def _was_current(self, planned: Link, found: Progress) -> bool:
        return self.found[found.path].planned == planned


def complete(progress: Progress, index: int) -> Task:
    """A task of a plan, with what it awaits filled in from the receipts."""
    task = progress.plan.tasks[index]
    if not awaiting(type(task)):
        return task
    values = [getattr(task, name) for name in task.__struct_fields__]
    return type(task)(*[filled(each, progress.receipts) for each in values])


def failure_of(progress: Progress, question: Due) -> Error | None:
    """The error that made a pipeline fail which sends nothing."""
    for pipeline in question.failed:
        for index in tasks_of(progress.plan.pipelines[pipeline]):
            receipt = progress.receipts.get(index)
            if isinstance(receipt, Error):
                return receipt
    return None


def tasks_of(pipeline: Effect) -> Iterator[int]:
    """The tasks of a pipeline, in order, by index."""
    match pipeline:
        case Ref(index):
            yield index
        case Then(first, after):
            yield from tasks_of(first)
            yield from tasks_of(after)
        case Not(inner):
            yield from tasks_of(inner)
        case _:
            return
