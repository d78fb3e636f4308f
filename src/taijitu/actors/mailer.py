"""The mailer actor: `login/mail` lets an account know that somebody wants to act for it."""

from collections.abc import Awaitable, Callable

from taijitu.engine.actor import Assignment, View
from taijitu.kernel.effect import Task
from taijitu.kernel.failures import Bug
from taijitu.kernel.receipt import DONE, Receipt
from taijitu.machines.login import Mail

Deliver = Callable[[Mail], Awaitable[Receipt]]
"""Answers `error` for what can never be delivered. Raises `Fault` if it may work later."""


async def nowhere(_: Mail) -> Receipt:
    """Nobody is told."""
    return DONE


class MailerActor:
    """`deliver` gets each letter; it may get one more than once."""

    def __init__(self, deliver: Deliver) -> None:
        self.deliver = deliver

    def prompt(self, task: Task, view: View, at: int) -> Receipt | None:
        """Never within a transaction: it may run again."""
        return None

    async def run(self, assignment: Assignment) -> Receipt | None:
        match assignment.task:
            case Mail() as mail:
                return await self.deliver(mail)
            case task:
                raise Bug(f"a mailer cannot {task!r}")
