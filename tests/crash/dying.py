"""The service, except that it dies when its actor is about to carry out a task of one kind.

Run as a program: `python dying.py s3/stat`. What runs is the whole installation; only that actor is
another's: within a transaction it answers "not now", as that of a bucket far away does, so that the
task is opened and committed; and when it is asked to carry the task out, the process is killed.
"""

import asyncio
import os
import signal
import sys
from typing import Any

from taijitu.engine.actor import Actor, Actors, Assignment, Finding, View
from taijitu.kernel.effect import Task, tag
from taijitu.kernel.receipt import Receipt
from taijitu.server import config, installation
from taijitu.server.service import serve

LAST_WORDS = "killed at"


def die(moment: str) -> None:
    """At once, with no chance to put anything in order."""
    os.write(1, f"\n{LAST_WORDS} {moment}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


class Dying:
    """An actor that takes the process with it when it comes to the ability."""

    def __init__(self, real: Actor, ability: str) -> None:
        self.real = real
        self.ability = ability

    def prompt(self, task: Task, view: View, at: int) -> Receipt | Finding | None:
        return None if tag(type(task)) == self.ability else self.real.prompt(task, view, at)

    async def run(self, assignment: Assignment) -> Receipt | None:
        if tag(type(assignment.task)) != self.ability:
            return await self.real.run(assignment)
        die(self.ability)
        raise AssertionError("nobody is left to get here")


def main(ability: str) -> None:
    real = installation.actors

    def with_a_dying_one(*given: Any, **named: Any) -> Actors:
        living = real(*given, **named)
        return {**living, ability: Dying(living[ability], ability)}

    installation.actors = with_a_dying_one
    asyncio.run(serve(config.load().config))


if __name__ == "__main__":
    main(sys.argv[1])
