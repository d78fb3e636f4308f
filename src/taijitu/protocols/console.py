"""`console/*`: an echo, for who wants to see whether a delegation works. Nothing is kept of it."""

from typing import Any, Final

from taijitu.kernel.record import Record
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.ucan.capability import Ability, equal_with
from taijitu.ucan.schema import Fields, anything, did, optional


class Log(Record):
    value: Any


class Fail(Record):
    error: Any


CONSOLE_LOG: Final = Ability(
    "console/log", did, Fields(Log, {"value": optional(anything)}), equal_with
)
CONSOLE_ERROR: Final = Ability(
    "console/error", did, Fields(Fail, {"error": optional(anything)}), equal_with
)


class Console:
    """The two abilities, over whatever DID."""

    def providers(self) -> tuple[Provider[Any], ...]:
        return Provider(CONSOLE_LOG, self.log), Provider(CONSOLE_ERROR, self.error)

    async def log(self, invocation: Invocation[Log]) -> Outcome:
        """Say what was said."""
        return Ok(given(invocation.nb.value))

    async def error(self, invocation: Invocation[Fail]) -> Outcome:
        """Fail, for the reason given."""
        return Error("Error", "Error from console", {"cause": given(invocation.nb.error)})


def given(value: Any) -> Any:
    """What was given, or `{}` if that was nothing."""
    return {} if value is None else value
