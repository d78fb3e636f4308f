"""The operator actor: `operator/alarm` tells a person what no machine can mend."""

from collections.abc import Callable

from taijitu.engine.actor import Assignment, View
from taijitu.kernel.effect import Task
from taijitu.kernel.failures import Bug
from taijitu.kernel.receipt import DONE, Receipt
from taijitu.machines.world import Alarm


class OperatorActor:
    """`tell` gets each alarm; it may get one more than once."""

    def __init__(self, tell: Callable[[Alarm], None]) -> None:
        self.tell = tell

    def prompt(self, task: Task, view: View, at: int) -> Receipt | None:
        """Never within a transaction: it may run again."""
        return None

    async def run(self, assignment: Assignment) -> Receipt | None:
        match assignment.task:
            case Alarm() as alarm:
                self.tell(alarm)
                return DONE
            case task:
                raise Bug(f"an operator cannot {task!r}")
