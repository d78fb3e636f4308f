"""Goal: a pipeline is taken apart into every way to its end, and a plan reads as it was written."""

from taijitu.kernel.effect import Effect, send
from taijitu.kernel.notation import as_text, pipelines_as_text
from taijitu.kernel.plan import plan
from taijitu.kernel.survey import ways
from unit.kernel.door import Close, Pass, Ring, Turn, Wait

TURN, PASS, WAIT = Turn(1), Pass("red"), Wait(1)


def texts(effect: Effect) -> list[str]:
    return [way.text() for way in ways(effect)]


def test_a_pipeline_has_one_way() -> None:
    pipeline = TURN >> ~WAIT >> PASS >> send(Close)
    assert texts(pipeline) == ["motor/turn >> ~clock/wait >> person/pass >> 📬 door/close"]


def test_a_pipeline_that_must_fail_has_a_way_for_each_of_its_tasks() -> None:
    assert texts(~(TURN >> WAIT) >> send(Close)) == [
        "~motor/turn >> 📬 door/close",
        "motor/turn >> ~clock/wait >> 📬 door/close",
    ]


def test_not_not_is_nothing() -> None:
    assert texts(~~TURN) == texts(TURN) == ["motor/turn"]


def test_a_message_that_is_sent_cannot_fail() -> None:
    assert texts(~(TURN >> send(Close))) == ["~motor/turn"]


def test_a_plan_reads_as_it_was_written() -> None:
    made = plan([~TURN >> send(Close), ~(TURN >> WAIT) >> PASS, Ring(1)])
    assert pipelines_as_text(made) == (
        "~motor/turn >> 📬 door/close",
        "~(motor/turn >> clock/wait) >> person/pass",
        "bell/ring",
    )


def test_effects_outside_a_plan_read_the_same() -> None:
    assert as_text(~TURN >> send(Close)) == "~motor/turn >> 📬 door/close"
