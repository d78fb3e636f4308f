"""A world small enough to be explored whole, around the machines as they are shipped.

A world is a value: cells, plans, the clock, bytes, URLs that were given out, answers on their way,
and how much mischief is still allowed. `moves` gives every world that may come next. Transactions
run through the engine's own `Draft`, so what is explored is what runs.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import asdict

from taijitu.actors.scanner import is_wanted
from taijitu.engine.actor import Assignment, Finding
from taijitu.engine.actor import View as Viewing
from taijitu.engine.cell import Head, Progress, untouched
from taijitu.engine.draft import Draft
from taijitu.engine.storage import SliceRow
from taijitu.ipld.cid import IDENTITY, RAW, Link
from taijitu.kernel.codec import Transition
from taijitu.kernel.effect import Message, Path, Request, Task
from taijitu.kernel.machine import Machine
from taijitu.kernel.plan import NOTHING, NOTHING_DUE
from taijitu.kernel.receipt import DONE, Ok, Receipt, failure
from taijitu.machines import allocation, blob, contents, entry, ledger
from taijitu.machines.world import Alarm, Delete, Presign, Sleep, Stat, Upload

TICK = entry.ACTIVE_MS_MAX
"""One step of the clock. A URL lives one step, and a PUT that began in time one more."""

SIZE, OTHER_SIZE = 5, 3
MULTIHASH = "zBytes"


class Rules(NamedTuple):
    """What the checker may switch off to see that it would be missed."""

    machines: Mapping[str, Machine] = {
        "entry": entry.ENTRY,
        "allocation": allocation.ALLOCATION,
        "ledger": ledger.LEDGER,
        "blob": blob.BLOB,
        "contents": contents.CONTENTS,
    }
    fence: bool = True
    one_commit: bool = True
    stat_waits_for_the_sweep: bool = True
    hints_are_only_hints: bool = True
    outsiders_are_kept_out: bool = True
    provider_is_remote: bool = False
    """The storage provider answers later, as somebody else: at least once, early, late or never
    heard; not in the commit of the transition that asks, as it does in what ships."""
    looks_inside: bool = False
    """Somebody looks through the bytes once they are stored. Nothing that is explored without it
    depends on it."""
    glances: bool = False
    """He does so in the transaction that asks, if they are here."""
    facts_are_wanted: bool = True
    """What was found is written down only while somebody holds the bytes and wants to know."""


class Budget(NamedTuple):
    """How much may happen: what clients ask, and what goes wrong."""

    adds: tuple[tuple[str, int, int], ...] = ()
    """Adds still to come: (space, invocation, declared size)."""
    again: int = 0
    removes: int = 0
    ticks: int = 3
    answers: int = 1
    """Answers that may be on their way at once."""
    lost_answers: int = 0
    false_hints: int = 0
    neighbour: int = 0
    """How often somebody else takes room in the same space and gives it back."""
    lost_bytes: int = 0
    late_audits: int = 0
    """How often an audit has bytes described of which it read some time before."""
    workers: int = 1
    """How many requests to a remote provider may be on their way at once."""


class Answer(NamedTuple):
    planned: Link
    task: int
    receipt: Receipt


class Claimed(NamedTuple):
    """A request that a slow worker has taken, and may carry out when nobody waits any more."""

    planned: Link
    task: int
    request: Request


class Look(NamedTuple):
    """Somebody has read the bytes, for a task. `wrote`: what he found is written down, or, if that
    was not wanted any more, it is not."""

    planned: Link
    task: int
    wrote: bool | None = None


class World(NamedTuple):
    heads: tuple[tuple[Path, Head], ...]
    plans: tuple[tuple[Link, Progress], ...]
    now: int
    bytes_here: int | None
    urls: frozenset[tuple[int, int]]
    """(closes, size) of every URL that a client has seen."""
    answers: tuple[Answer, ...]
    taken: bool
    budget: Budget
    thrown_away: bool = False
    """An entry expired although its bytes had come."""
    claimed: tuple[Claimed, ...] = ()
    known: bool = False
    """What lies in the bytes is written down."""
    look: Look | None = None
    """A look that is under way; it may be that nobody waits for it any more."""


class View:
    """A world as a transaction reads it."""

    def __init__(self, world: World, rules: Rules) -> None:
        self.rules = rules
        self.heads, self.plans = dict(world.heads), dict(world.plans)
        self.names = {claimed.planned for claimed in world.claimed}
        if world.look is not None:
            self.names.add(world.look.planned)

    def head(self, path: Path) -> Head:
        return self.heads.get(path) or untouched(self.rules.machines, path)

    def receipt(self, task: Link) -> bytes | None:
        raise AssertionError(f"nobody promises anything here: {task}")

    def progress(self, planned: Link) -> Progress:
        return self.plans[planned]


class Transaction(Draft):
    """A draft whose links are small names that are used again, so that worlds can be equal."""

    def __init__(self, world: World, rules: Rules) -> None:
        self.rules, self.now, self.view_of = rules, world.now, View(world, rules)
        actors = {"contents/scan": Glancing(world.bytes_here)} if rules.glances else {}
        super().__init__(rules.machines, actors, self.view_of, world.now, seal=self.name)

    def name(self, transition: Transition) -> tuple[Link, bytes]:
        taken = {*self.view_of.plans, *self.plans, *self.view_of.names}
        for number in range(99):
            link = link_named(f"{'/'.join(transition.path)}#{number}")
            if link not in taken:
                return link, b""
        raise AssertionError("too many live plans")

    def is_heard(self, planned: Link, progress: Progress) -> bool:
        return super().is_heard(planned, progress) or not self.rules.fence

    def answer(self, task: Task) -> Receipt | None:
        if isinstance(task, contents.Describe | contents.Forget) and not self.rules.looks_inside:
            return DONE
        return None if is_remote(task, self.rules) else super().answer(task)


class Glancing:
    """Looks through bytes that are here, within the transaction."""

    def __init__(self, bytes_here: int | None) -> None:
        self.bytes_here = bytes_here

    def prompt(self, task: Task, view: Viewing, at: int) -> Finding | None:
        if self.bytes_here is None or not is_wanted(view, MULTIHASH):
            return None
        return Finding(WHOLE, [SliceRow(b"a block", b"the bytes", 0, SIZE)])

    async def run(self, assignment: Assignment) -> Receipt | None:
        raise AssertionError("here tasks are carried out by `act`")


WHOLE = Ok({"tally": asdict(contents.Tally(SIZE, SIZE))})
GONE = failure("NotFound", "no bytes", gone=True)


def is_remote(task: Task, rules: Rules) -> bool:
    return rules.provider_is_remote and task.actor == "storage provider"


def start(rules: Rules, capacity: int, spaces: tuple[str, ...], budget: Budget) -> World:
    world = World((), (), 0, None, frozenset(), (), False, budget)
    for space in spaces:
        message = ledger.Provision(0, space, capacity)
        world = hear(world, rules, ("ledger", space), message)
    return world


def moves(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Every world that may come next, with what happened."""
    yield from clients(world, rules)
    yield from tasks(world, rules)
    yield from deliveries(world, rules)
    yield from mischief(world, rules)
    if world.budget.ticks:
        yield "tick", spend(world, ticks=world.budget.ticks - 1)._replace(now=world.now + TICK)


# What clients do


def clients(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    budget = world.budget
    for number, (space, invocation, size) in enumerate(budget.adds):
        add = entry.Add(world.now, link_named(str(invocation)), space, MULTIHASH, "agent", size)
        path = ("entry", space, MULTIHASH)
        later = hear(world, rules, path, add)
        yield f"add {invocation} {space}", spend(later, adds=cut(budget.adds, number))
        if budget.again:
            yield f"add {invocation} {space} and again", spend(later, again=budget.again - 1)
    for path, head in world.heads:
        if budget.removes and path[0] == "entry" and not isinstance(head.state, entry.Absent):
            later = hear(world, rules, path, entry.Remove(world.now))
            yield f"remove {path[1]}", spend(later, removes=budget.removes - 1)
    for closes, size in world.urls:
        if world.now < closes and world.bytes_here is None:
            yield "a PUT ends", world._replace(bytes_here=size)


# What actors do: they look or act now, and their answer arrives later, or never, or twice


def tasks(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    yield from writings(world, rules)
    if len(world.answers) >= world.budget.answers:
        return
    yield from remote(world, rules)
    yield from looks(world, rules)
    for planned, index, task in open_tasks(world, rules):
        if is_remote(task, rules):
            continue
        for label, later, receipt in act(world, rules, task):
            answer = Answer(planned, index, receipt)
            if answer not in world.answers:
                yield f"{label}", later._replace(answers=(*world.answers, answer))


def remote(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """What a remote provider is asked: a worker takes the request, and carries it out later."""
    for number, (planned, index, request) in enumerate(world.claimed):
        rest = world._replace(claimed=cut(world.claimed, number))
        transaction = Transaction(rest, rules)
        receipt = transaction.ask(request)
        later = committed(rest, rules, transaction)
        answer = Answer(planned, index, receipt)
        if planned in dict(later.plans) and answer not in later.answers:
            later = later._replace(answers=(*later.answers, answer))
        yield f"the provider does {request}", later
    if len(world.claimed) < world.budget.workers:
        for planned, index, task in open_tasks(world, rules):
            if isinstance(task, Request) and is_remote(task, rules):
                claimed = (*world.claimed, Claimed(planned, index, task))
                yield f"a worker takes {task}", world._replace(claimed=claimed)


def open_tasks(world: World, rules: Rules) -> Iterator[tuple[Link, int, Task]]:
    heads = dict(world.heads)
    for planned, progress in world.plans:
        heard = heads[progress.path].planned == planned or not rules.fence
        for index in progress.due(heard).tasks:
            yield planned, index, progress.plan.tasks[index]


def act(world: World, rules: Rules, task: Task) -> Iterator[tuple[str, World, Receipt]]:
    match task:
        case Stat():
            swept = isinstance(View(world, rules).head(("blob", MULTIHASH)).state, blob.Sweeping)
            if swept and rules.stat_waits_for_the_sweep:
                return
            absent = failure("NotFound", "no bytes")
            here = world.bytes_here
            yield "stat", world, absent if here is None else Ok({"size": here})
        case Presign(_, size):
            expires = world.now + TICK
            url = {"url": f"{size}", "headers": {}, "expires": expires, "closes": expires + TICK}
            yield "presign", world, Ok(url)
        case Delete():
            yield "delete", world._replace(bytes_here=None, known=False), DONE
        case Upload() if world.bytes_here is not None:
            yield "the agent's PUT is seen", world, Ok({"size": world.bytes_here})
        case contents.Scan() if world.bytes_here is None and world.look is None:
            yield "nothing to look through", world, GONE
        case Sleep(until) if until <= world.now:
            yield "wake", world, DONE
        case Alarm():
            yield "alarm", world, DONE
        case _:
            return


def looks(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Somebody begins to look through the bytes; or tells how it went, if he is still asked."""
    for planned, index, task in open_tasks(world, rules):
        if not isinstance(task, contents.Scan):
            continue
        match world.look:
            case None if world.bytes_here is not None:
                yield "a look through the bytes", world._replace(look=Look(planned, index))
            case Look(for_plan, for_task, bool(wrote)) if (for_plan, for_task) == (planned, index):
                answer = Answer(planned, index, WHOLE if wrote else GONE)
                answers = (*world.answers, answer)
                yield "the look is over", world._replace(look=None, answers=answers)
            case _:
                continue


def writings(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Who has looked writes down what he found, whether he is still asked or not."""
    if world.look is None or world.look.wrote is not None:
        return
    wanted = not rules.facts_are_wanted or is_wanted(Transaction(world, rules).view, MULTIHASH)
    asked = any(planned == world.look.planned for planned, _ in world.plans)
    look = world.look._replace(wrote=wanted) if asked else None
    yield "what was found is written down", world._replace(known=world.known or wanted, look=look)


def deliveries(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    for number, answer in enumerate(world.answers):
        rest = world._replace(answers=cut(world.answers, number))
        yield f"answer {answer.task} arrives", settle(rest, rules, answer)
        if world.budget.lost_answers:
            yield "answer is lost", spend(rest, lost_answers=world.budget.lost_answers - 1)


# What goes wrong


def mischief(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    budget = world.budget
    if world.taken or budget.neighbour:
        yield from neighbour(world, rules)
    for path, head in world.heads:
        if budget.lost_bytes and isinstance(head.state, entry.Stored) and world.bytes_here:
            gone = world._replace(bytes_here=None)
            gone = hear(gone, rules, path, entry.Fail(world.now, "gone"))
            yield "bytes are lost, an audit tells", spend(gone, lost_bytes=budget.lost_bytes - 1)
        if budget.false_hints and not rules.outsiders_are_kept_out and path[0] == "entry":
            later = hear(world, rules, path, entry.Put(world.now, SIZE))
            yield "an outsider says put", spend(later, false_hints=budget.false_hints - 1)
    if budget.late_audits:
        later = ask(world, rules, contents.Describe(MULTIHASH))
        if later is not None:
            yield "a late audit", spend(later, late_audits=budget.late_audits - 1)
    if not rules.one_commit:
        for planned, progress in world.plans:
            if progress.plan.pipelines and not progress.receipts:
                lost = {**dict(world.plans), planned: Progress(progress.path, NOTHING)}
                yield "crash between swap and enqueue", world._replace(plans=tuple(lost.items()))
    if budget.false_hints and not rules.hints_are_only_hints:
        for planned, index, task in open_tasks(world, rules):
            if isinstance(task, Upload):
                later = settle(world, rules, Answer(planned, index, Ok({"size": SIZE})))
                yield "a false hint", spend(later, false_hints=budget.false_hints - 1)


def neighbour(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Somebody else takes room in the space of alice, or gives it back."""
    size = SIZE
    request = ledger.Free("alice", size, False) if world.taken else ledger.Reserve("alice", size)
    later = ask(world, rules, request)
    if later is not None:
        left = world.budget.neighbour - world.taken
        yield (
            f"a neighbour: {request}",
            spend(later, neighbour=left)._replace(taken=not world.taken),
        )


# Transactions


def hear(world: World, rules: Rules, path: Path, message: Message) -> World:
    transaction = Transaction(world, rules)
    transaction.hear(path, message)
    return committed(world, rules, transaction)


def ask(world: World, rules: Rules, request: Any) -> World | None:
    """The world after a request that some other cell makes; `None` if it is refused."""
    transaction = Transaction(world, rules)
    reply = transaction.ask(request)
    return committed(world, rules, transaction) if isinstance(reply, Ok) else None


def settle(world: World, rules: Rules, answer: Answer) -> World:
    if answer.planned not in dict(world.plans):
        return world
    transaction = Transaction(world, rules)
    transaction.settle(*answer)
    return committed(world, rules, transaction)


def committed(world: World, rules: Rules, transaction: Transaction) -> World:
    """The world once a transaction is true. Plans that ask for nothing more are forgotten."""
    heads = {**dict(world.heads)}
    for path, head in transaction.heads.items():
        heads[path] = Head(head.machine, path, head.planned, 0, head.state, head.planned)
    plans = {**dict(world.plans), **transaction.plans}
    current = {head.planned for head in heads.values()}
    kept = {
        planned: Progress(progress.path, progress.plan, 0, progress.receipts, progress.delivered)
        for planned, progress in plans.items()
        if planned in current or progress.due(not rules.fence) != NOTHING_DUE
    }
    spaces = {path[1] for path in heads if path[0] == "ledger"}
    expired = [
        path
        for path, head in transaction.heads.items()
        if isinstance(head.state, entry.Expired) and len(spaces) == 1
    ]
    urls = frozenset((until, size) for until, size in shown(heads) if until > world.now)
    return world._replace(
        heads=tuple(sorted(heads.items(), key=lambda item: item[0])),
        plans=tuple(sorted(kept.items(), key=lambda item: item[0].data)),
        urls=frozenset(url for url in world.urls if url[0] > world.now) | urls,
        answers=tuple(answer for answer in world.answers if answer.planned in kept),
        known=world.known or bool(transaction.slices),
        look=still_needed(world.look, kept),
        thrown_away=bool(expired) and world.bytes_here is not None,
    )


def still_needed(look: Look | None, plans: Mapping[Link, Progress]) -> Look | None:
    """Whoever has written, and is not asked any more, has nothing to do."""
    if look is None or (look.wrote is not None and look.planned not in plans):
        return None
    return look


def shown(heads: Mapping[Path, Head]) -> Iterator[tuple[int, int]]:
    """The URLs that a client may have seen: those of the entries that are receiving."""
    for head in heads.values():
        if isinstance(head.state, entry.Receiving):
            yield head.state.closes, int(head.state.url)


def key(world: World) -> bytes:
    """What makes two worlds the same."""
    heads = [(head.path, head.state, head.planned) for _, head in world.heads]
    plans = [
        (
            *(planned, progress.plan.tasks, progress.plan.pipelines),
            *(sorted(progress.receipts.items()), sorted(progress.delivered)),
        )
        for planned, progress in world.plans
    ]
    answers = sorted((a.planned.data, a.task, repr(a.receipt)) for a in world.answers)
    rest = (
        *(world.now, world.bytes_here, sorted(world.urls), answers, world.taken, world.budget),
        *(world.claimed, world.known, world.look),
    )
    return msgspec.msgpack.encode((heads, plans, rest), enc_hook=lambda link: link.data)


def link_named(name: str) -> Link:
    """A raw link with an identity hash: it holds its own name."""
    return Link(bytes((1, RAW, IDENTITY, len(name))) + name.encode())


def spend(world: World, **changes: Any) -> World:
    return world._replace(budget=world.budget._replace(**changes))


def cut(items: tuple[Any, ...], number: int) -> tuple[Any, ...]:
    return (*items[:number], *items[number + 1 :])
