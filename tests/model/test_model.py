"""Goal: the shipped machines hold what they promise, whatever goes wrong and in whatever order.

Method: every world within a budget of mischief is explored (`checker.py`). Then each rule that
makes the design safe is switched off, and the checker must find what breaks: a rule that nobody
misses is not a rule, and a checker that misses nothing is not a checker.
"""

from collections.abc import Callable

import pytest

from model.checker import explore
from model.world import OTHER_SIZE, SIZE, Budget, Rules
from taijitu.kernel.effect import Effect
from taijitu.kernel.machine import Machine, Step, become
from taijitu.machines import allocation, blob, contents, entry, ledger
from taijitu.machines.world import Delete, Sleep

ALICE_1 = ("alice", 1, SIZE)
ALICE_2 = ("alice", 2, SIZE)
ALICE_LIES = ("alice", 3, OTHER_SIZE)
BOB_4 = ("bob", 4, SIZE)
BOB_LIES = ("bob", 5, OTHER_SIZE)

SMALL = {
    "one add, duplicate and lost answers": Budget((ALICE_1,), lost_answers=1, answers=2),
    "an add and its repetition": Budget((ALICE_1,), again=1, removes=1, ticks=2),
    "two adds and a removal": Budget((ALICE_1, ALICE_2), removes=1, ticks=2, lost_answers=1),
    "two sizes for the same bytes": Budget((ALICE_1, ALICE_LIES), removes=1, ticks=2),
    "a neighbour takes the room": Budget((ALICE_1, ALICE_2), ticks=2, neighbour=1),
    "bytes are lost": Budget((ALICE_1, ALICE_2), ticks=2, lost_bytes=1),
    "two spaces share the bytes": Budget((ALICE_1, BOB_4), removes=1, ticks=2),
}

# What ships changes the ledger in the commit of the transition that asks. A provider that answers
# later is explored too, because some defences matter only there. (With it a release may come so
# late that its sweep knows too little of the time; such bytes are left to the audit, and the
# budgets stay clear of it.)
REMOTE = {
    "two adds": Budget((ALICE_1, ALICE_2), removes=1, ticks=1),
    "lost answers": Budget((ALICE_1,), removes=1, ticks=2, lost_answers=2),
    "a neighbour takes the room": Budget((ALICE_1,), ticks=1, neighbour=1, lost_answers=1),
}

INSIDE = {
    "an add and a removal": Budget((ALICE_1,), removes=1, ticks=2, answers=2),
    "an audit that comes too late": Budget((ALICE_1,), removes=1, late_audits=1),
    "an audit, and answers on their way": Budget((ALICE_1,), ticks=1, answers=2, late_audits=1),
}
INSIDE_LARGE = {
    "stored again, and an audit": Budget((ALICE_1, ALICE_2), removes=1, ticks=2, late_audits=1),
    "bytes are lost": Budget((ALICE_1, ALICE_2), ticks=2, lost_bytes=1),
    "two spaces share the bytes": Budget((ALICE_1, BOB_4), removes=1, ticks=2),
}

LARGE = {
    "answers overtake each other": Budget((ALICE_1, ALICE_2), removes=1, answers=2),
    "two adds, lost answers": Budget((ALICE_1, ALICE_2), removes=1, lost_answers=1),
    "repetitions": Budget((ALICE_1,), again=2, removes=1),
    "two spaces, two removals": Budget((ALICE_1, BOB_4), removes=2),
    "two spaces, two sizes": Budget((ALICE_1, BOB_LIES), removes=1),
    "three adds, two removals": Budget((ALICE_1, ALICE_2, ("alice", 6, SIZE)), removes=2, ticks=2),
}


def spaces_of(budget: Budget) -> tuple[str, ...]:
    return tuple(sorted({"alice", *(space for space, _, _ in budget.adds)}))


@pytest.mark.parametrize("name", SMALL)
def test_every_reachable_world_is_sound_and_comes_to_rest(name: str) -> None:
    found = explore(Rules(), SMALL[name], spaces=spaces_of(SMALL[name]))
    assert found.complete, (found.wrong, *found.path)
    assert found.worlds > 100


@pytest.mark.full
@pytest.mark.parametrize("name", LARGE)
def test_every_reachable_world_of_a_larger_budget_too(name: str) -> None:
    found = explore(Rules(), LARGE[name], spaces=spaces_of(LARGE[name]))
    assert found.complete, (found.wrong, *found.path)


@pytest.mark.parametrize("name", REMOTE)
def test_a_provider_that_answers_later_is_borne_too(name: str) -> None:
    found = explore(Rules(provider_is_remote=True), REMOTE[name])
    assert found.complete, (found.wrong, *found.path)


@pytest.mark.parametrize("glances", [False, True])
@pytest.mark.parametrize("name", INSIDE)
def test_what_lies_in_bytes_is_known_as_long_as_they_are_stored(name: str, glances: bool) -> None:
    knows_inside(INSIDE[name], glances)


@pytest.mark.full
@pytest.mark.parametrize("glances", [False, True])
@pytest.mark.parametrize("name", INSIDE_LARGE)
def test_what_lies_in_bytes_is_known_in_a_larger_budget_too(name: str, glances: bool) -> None:
    knows_inside(INSIDE_LARGE[name], glances)


def knows_inside(budget: Budget, glances: bool) -> None:
    rules = Rules(looks_inside=True, glances=glances)
    found = explore(rules, budget, spaces=spaces_of(budget))
    assert found.complete, (found.wrong, *found.path)


# The rules, switched off one at a time


def receive_without_looking(attempt: entry.Attempt, closes: int) -> tuple[Effect, ...]:
    expose, upload, *_ = SHIPPED_RECEIVE(attempt, closes)
    return (expose, upload, Sleep(closes) >> entry.send(entry.Expire))


def give_up_what_it_may_not_own(attempt: entry.Attempt, closes: int, at: int) -> Effect:
    free = ledger.Free(attempt.space, attempt.size, False)
    return free >> Sleep(closes) >> blob.Sweep(attempt.multihash, max(closes, at))


def give_up_and_sweep_at_once(attempt: entry.Attempt, closes: int, at: int) -> Effect:
    return entry.release(attempt) >> blob.Sweep(attempt.multihash, closes)


def give_up_without_a_sweep(attempt: entry.Attempt, closes: int, at: int) -> Effect:
    return entry.release(attempt)


def give_up_knowing_only_its_own_url(attempt: entry.Attempt, closes: int, at: int) -> Effect:
    return SHIPPED_GIVE_UP(attempt, closes, closes)


def give_up_and_sweep_before_the_release(attempt: entry.Attempt, closes: int, at: int) -> Effect:
    return Sleep(closes) >> blob.Sweep(attempt.multihash, max(closes, at)) >> entry.release(attempt)


def receive_without_exposing(attempt: entry.Attempt, closes: int) -> tuple[Effect, ...]:
    return SHIPPED_RECEIVE(attempt, closes)[1:]


def refer_only_when_stored(state: allocation.AnyState, message: allocation.AnyMessage):
    step = allocation.update(state, message)
    effects = [effect for effect in step.effects if not isinstance(effect, blob.Refer)]
    if isinstance(message, allocation.Commit) and step.effects:
        effects.append(blob.Refer(message.multihash))
    if isinstance(state, allocation.Allocated) and not state.stored:
        effects = [effect for effect in effects if not isinstance(effect, blob.Drop)]
    return Step(step.state, tuple(effects), step.reply, step.goes_on)


def forget_who_was_released(state: allocation.AnyState, message: allocation.AnyMessage):
    step = allocation.update(state, message)
    if isinstance(step.state, allocation.Vacant):
        return Step(allocation.Vacant(0), step.effects, step.reply, step.goes_on)
    return step


def turn_away_without_a_release(attempt: entry.Attempt, closes: int, at: int) -> Effect:
    return Sleep(closes) >> blob.Sweep(attempt.multihash, max(closes, at))


def sweep_without_a_mark(state: blob.AnyState, message: blob.AnyMessage):
    step = blob.update(state, message)
    if isinstance(message, blob.Sweep) and isinstance(step.state, blob.Sweeping):
        return become(blob.Kept(0, state.live_until + 1), Delete(message.multihash))
    return step


def sweep_and_forget_nothing(state: blob.AnyState, message: blob.AnyMessage):
    step = blob.update(state, message)
    if isinstance(message, blob.Sweep) and step.effects:
        return become(step.state, step.effects[0])
    return step


def be_content_with_who_looks_already(state: contents.AnyState, message: contents.AnyMessage):
    if isinstance(message, contents.Describe) and isinstance(state, contents.Reading):
        return Step(state)
    return contents.update(state, message)


def changed(machine: Machine, update: Callable[..., Step]) -> Rules:
    clone = Machine(
        machine.name,
        machine.version,
        update,
        machine.initial,
        states=tuple(machine.states.values()),
        messages=tuple(machine.messages.values()),
        tasks=tuple(machine.tasks.values()),
    )
    return Rules(machines={**Rules().machines, machine.name: clone})


SHIPPED_RECEIVE, SHIPPED_GIVE_UP = entry.receive, entry.give_up
TWO = Budget((ALICE_1, ALICE_2), removes=1, ticks=2)
OVERTAKING = Budget((ALICE_1, ALICE_2), removes=2, ticks=2, answers=2)
TWO_SPACES = Budget((ALICE_1, BOB_4), removes=2, ticks=2)

SWITCHED_OFF_RULES = {
    "a plan is heard only while it is current": (Rules(fence=False), TWO),
    "state and effects become true together": (Rules(one_commit=False), TWO),
    "whoever needs the bytes waits for the sweep": (Rules(stat_waits_for_the_sweep=False), TWO),
    "a hint is no proof": (Rules(hints_are_only_hints=False), TWO._replace(false_hints=1)),
    "outsiders send no internal message": (
        Rules(outsiders_are_kept_out=False),
        TWO._replace(false_hints=1),
    ),
    "an entry refers to its bytes from Active on": (
        changed(allocation.ALLOCATION, refer_only_when_stored),
        TWO_SPACES,
    ),
    "bytes are marked while they are deleted": (changed(blob.BLOB, sweep_without_a_mark), TWO),
}

SWITCHED_OFF_PLANS = {
    "look before you expire": ("receive", receive_without_looking, TWO),
    "free only what the attempt owns": ("give_up", give_up_what_it_may_not_own, TWO),
    "sweep when the last URL has closed": ("give_up", give_up_and_sweep_at_once, TWO),
    "release before you sweep": ("give_up", give_up_and_sweep_before_the_release, TWO),
    "every exit sweeps": ("give_up", give_up_without_a_sweep, TWO),
    "a sweep knows what time it is": ("give_up", give_up_knowing_only_its_own_url, TWO),
    "live URLs are registered": ("receive", receive_without_exposing, OVERTAKING),
}


REMOTE_ONLY = {
    "who was released is refused ever after": (
        changed(allocation.ALLOCATION, forget_who_was_released),
        Budget((ALICE_1,), removes=1, ticks=0, workers=2),
    ),
}


INSIDE_ONLY = {
    "what nobody wants to know any more is not written down": (
        Rules(facts_are_wanted=False),
        INSIDE["an add and a removal"],
    ),
    "what was known is forgotten with the bytes": (
        changed(blob.BLOB, sweep_and_forget_nothing),
        INSIDE["an add and a removal"],
    ),
    "whoever asks while nothing is found is not forgotten": (
        changed(contents.CONTENTS, be_content_with_who_looks_already),
        INSIDE["an audit, and answers on their way"],
    ),
    "nor is he where small CARs are looked through at once": (
        changed(contents.CONTENTS, be_content_with_who_looks_already)._replace(glances=True),
        INSIDE["an audit, and answers on their way"],
    ),
}


@pytest.mark.parametrize("rule", INSIDE_ONLY)
def test_a_rule_about_what_lies_in_bytes_is_missed(rule: str) -> None:
    rules, budget = INSIDE_ONLY[rule]
    found = explore(rules._replace(looks_inside=True), budget)
    assert found.wrong, f"explored {found.worlds} worlds and missed nothing"


@pytest.mark.parametrize("rule", REMOTE_ONLY)
def test_a_rule_that_matters_to_a_remote_provider_is_missed_there(rule: str) -> None:
    rules, budget = REMOTE_ONLY[rule]
    found = explore(rules._replace(provider_is_remote=True), budget)
    assert found.wrong, f"explored {found.worlds} worlds and missed nothing"


def test_who_is_turned_away_is_released_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "turn_away", turn_away_without_a_release)
    budget = REMOTE["a neighbour takes the room"]._replace(answers=2)
    found = explore(Rules(provider_is_remote=True), budget)
    assert found.wrong, f"explored {found.worlds} worlds and missed nothing"


@pytest.mark.parametrize("rule", SWITCHED_OFF_RULES)
def test_a_rule_that_is_switched_off_is_missed(rule: str) -> None:
    rules, budget = SWITCHED_OFF_RULES[rule]
    found = explore(rules, budget, spaces=spaces_of(budget))
    assert found.wrong, f"explored {found.worlds} worlds and missed nothing"


@pytest.mark.parametrize("rule", SWITCHED_OFF_PLANS)
def test_a_plan_that_is_left_out_is_missed(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, plan, budget = SWITCHED_OFF_PLANS[rule]
    monkeypatch.setattr(entry, name, plan)
    found = explore(Rules(), budget, spaces=spaces_of(budget))
    assert found.wrong, f"explored {found.worlds} worlds and missed nothing"
