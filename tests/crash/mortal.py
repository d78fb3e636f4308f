"""A service that is started so that it kills itself at a moment of our choice."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

from crash.dying import LAST_WORDS
from support.eventually import eventually
from support.service import SOURCE, Service

PATIENCE = 15
"""Seconds."""

TESTS = Path(__file__).parents[1]


class Mortal(Service):
    """A service that can be started to die, and is dead at the end of the test."""

    def __init__(self, data: Path, program: Path, settings: dict[str, str] | None = None) -> None:
        super().__init__(data, settings)
        self.program = program

    def environment(self) -> dict[str, str]:
        return super().environment() | {"PYTHONPATH": os.pathsep.join(map(str, (SOURCE, TESTS)))}

    async def start_dying_at(self, moment: str) -> None:
        """Returns once it answers; it may die as soon as that."""
        self.launch(moment)

        async def up_or_dead() -> bool:
            return self.running().poll() is not None or await asyncio.to_thread(self.is_healthy)

        await eventually(up_or_dead, bool, seconds=PATIENCE)

    def launch(self, *moment: str) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(self.program), *moment],
                env=self.environment(),
                cwd=self.data.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    async def wait_for_its_death(self, moment: str, seconds: float = PATIENCE) -> None:
        """Returns once it was killed, and insists that it was where it should be."""
        try:
            code = await asyncio.to_thread(self.running().wait, seconds)
        except subprocess.TimeoutExpired:
            raise self.failed(f"did not come to {moment!r} in {seconds} s") from None
        self.process = None
        assert code == -signal.SIGKILL, self.output
        assert f"{LAST_WORDS} {moment}" in self.output.splitlines(), self.output


def ending(service: Mortal) -> Generator[Mortal]:
    """As a fixture: nothing of it outlives the test."""
    try:
        yield service
    finally:
        if service.process is not None:
            service.kill()
