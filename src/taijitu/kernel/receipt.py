"""How a task went: `Ok` or `Error`, a value either way."""

from typing import Any, TypeAlias

from msgspec import field

from taijitu.kernel.record import Record


class Ok(Record):
    value: dict[str, Any] = field(default_factory=dict[str, Any])


class Error(Record):
    """The protocol said no. `value` holds at least a `name` and a `message`."""

    value: dict[str, Any]


Receipt: TypeAlias = Ok | Error

DONE = Ok()


def failure(name: str, message: str, **fields: Any) -> Error:
    return Error({"name": name, "message": message, **fields})
