"""The timer actor: `task/sleep` is over once its time has come. A durable alarm clock."""

from collections.abc import Callable

from taijitu.engine.actor import Assignment, View
from taijitu.kernel.effect import Task
from taijitu.kernel.failures import Bug, Fault
from taijitu.kernel.receipt import DONE, Receipt
from taijitu.machines.world import Sleep


class TimerActor:
    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now

    def prompt(self, task: Task, view: View, at: int) -> Receipt | None:
        match task:
            case Sleep(until):
                return DONE if until <= at else None
            case _:
                raise Bug(f"a timer cannot {task!r}")

    async def run(self, assignment: Assignment) -> Receipt | None:
        match assignment.task:
            case Sleep(until) if until <= self.now():
                return DONE
            case Sleep(until):
                raise Fault(f"woken {until - self.now()} ms too early: the clock was set back")
            case task:
                raise Bug(f"a timer cannot {task!r}")
