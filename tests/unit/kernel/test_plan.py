"""Goal: a plan says the same whenever it is asked: as a value, as a block, half done."""

from typing import Any, ClassVar

import pytest

from taijitu.kernel import codec
from taijitu.kernel.effect import Await, Effect, Message, Task, send
from taijitu.kernel.failures import UnknownVersion
from taijitu.kernel.machine import Machine, State
from taijitu.kernel.plan import NOTHING, Due, due, filled, plan
from taijitu.kernel.receipt import DONE, Error, Ok
from taijitu.kernel.shape import PLAN_TASKS_MAX, sends


class Ask(Task, tag="test/ask"):
    actor: ClassVar[str] = "someone"
    who: str | Await
    what: str | Await = ""


class Told(Message, tag="test/told"):
    answer: str


class Only(State, tag="only"):
    """The one state there is."""


def update(state: Any, message: Any) -> Any:
    raise AssertionError("nobody asks this machine anything")


MACHINE = Machine("test", 1, update, Only(), states=Only, messages=Told, tasks=Ask)
ASKED, NEXT = Ask("alice"), Ask("bob")
NO = Error({"name": "No", "message": "no"})


def told(**fields: Any) -> Effect:
    return send(Told, **(fields or {"answer": "x"}))


def test_a_task_that_stands_in_three_pipelines_is_one_task() -> None:
    made = plan([ASKED >> told(), ~ASKED >> told(), ASKED >> NEXT >> told()])
    assert made.tasks == (ASKED, NEXT)
    assert due(made, {}) == Due(tasks=(0,))


@pytest.mark.parametrize(("receipt", "messages"), [(DONE, (0,)), (NO, (1,))])
def test_a_receipt_takes_its_branch(receipt: Ok | Error, messages: tuple[int, ...]) -> None:
    made = plan([ASKED >> told(), ~ASKED >> told()])
    assert due(made, {0: receipt}) == Due(messages=messages)
    assert due(made, {0: receipt}, delivered=set(messages)) == Due()


def test_an_effect_waits_for_what_stands_before_it() -> None:
    made = plan([ASKED >> (NEXT >> told())])
    assert due(made, {}).tasks == (0,)
    assert due(made, {0: DONE}).tasks == (1,)
    assert due(made, {0: DONE, 1: DONE}).messages == (0,)


def test_an_error_that_nobody_asked_for_is_told_where_nothing_is_sent() -> None:
    assert due(plan([ASKED >> NEXT]), {0: NO}) == Due(failed=(0,))
    assert due(plan([ASKED >> told()]), {0: NO}) == Due()


def test_of_a_plan_that_is_not_heard_only_what_sends_nothing_goes_on() -> None:
    made = plan([ASKED >> told(), NEXT >> Ask("carol")])
    assert due(made, {}, heard=False).tasks == (1,)


@pytest.mark.parametrize(
    "effect",
    [
        told() >> ASKED,
        ~told(),
        told(answer=Await(ASKED, "x")),
        Ask("bob", Await(ASKED, "x")) >> ASKED,
        ASKED >> Await(ASKED, "x"),  # type: ignore[arg-type]
    ],
)
def test_a_pipeline_that_makes_no_sense_is_refused(effect: Effect) -> None:
    with pytest.raises((ValueError, TypeError)):
        plan([effect])


def test_a_plan_has_a_limit() -> None:
    assert len(plan([Ask(str(n)) for n in range(PLAN_TASKS_MAX)]).tasks) == PLAN_TASKS_MAX
    with pytest.raises(ValueError, match="65 tasks"):
        plan([Ask(str(n)) for n in range(PLAN_TASKS_MAX + 1)])


def test_nothing_is_a_plan() -> None:
    assert plan([]) is NOTHING
    assert due(NOTHING, {}) == Due()


def test_a_template_that_the_message_does_not_fit_is_refused() -> None:
    for fields in ({}, {"answer": "x", "more": 1}):
        with pytest.raises(TypeError):
            send(Told, **fields)


def test_what_is_awaited_is_found_however_deep() -> None:
    made = plan([ASKED >> told(answer=Await(ASKED, "a.b"))])
    template = sends(made.pipelines[0])
    assert template is not None
    (field,) = (value for _, value in template.fields)
    assert filled(field, {0: Ok({"a": {"b": "deep"}})}) == "deep"
    with pytest.raises(KeyError):
        filled(field, {0: Ok({"a": {}})})


@pytest.mark.parametrize(
    "effects",
    [
        [],
        [ASKED],
        [~(ASKED >> NEXT) >> told(), NEXT >> ASKED],
        [ASKED >> Ask("bob", Await(ASKED, "name")) >> told(answer=Await(ASKED, "name"))],
        [ASKED >> Ask(Await(ASKED, "name"))],
    ],
)
def test_a_plan_is_the_same_after_it_was_a_block(effects: list[Effect]) -> None:
    made = plan(effects)
    assert codec.decode_plan(MACHINE, codec.encode_plan(made)) == made


def test_what_is_not_known_is_never_guessed() -> None:
    block = codec.encode_plan(plan([ASKED]))
    with pytest.raises(UnknownVersion):
        codec.decode_plan(MACHINE, {**block, "pipelines": [{"<<": [0, 0]}]})
    with pytest.raises(UnknownVersion):
        codec.decode_plan(MACHINE, {**block, "tasks": [{"can": "x/y", "with": "", "nb": {}}]})
