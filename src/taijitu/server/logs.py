"""Log lines: one event a line on standard error, for people or as JSON.

Law: keys, signatures and query strings (a presigned URL's *is* a credential) are never logged.
"""

import logging
import re
import sys
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO, TypeAlias, cast
from xml.sax.saxutils import unescape

import msgspec

from taijitu.server.settings import LogFormat

REQUEST: ContextVar[str] = ContextVar("request", default="")
"""The id of the request that is being answered, for lines about a part of it."""

WHY_CHARS_MAX: Final = 1_000
"""Characters of a refusal's text that a line repeats."""

FOREIGN_LEVEL: Final = logging.WARNING
"""From which level on the lines of libraries are passed on."""

S3_ERROR: Final = re.compile("<Error><Code>(.*?)</Code><Message>(.*?)</Message>", re.DOTALL)

ENCODER: Final = msgspec.json.Encoder(enc_hook=str)


Render: TypeAlias = Callable[[str, dict[str, Any]], str]
"""Makes a line of a level and the fields of an event, of which `exc_info`, an exception, may
be one."""


def as_json(_level: str, fields: dict[str, Any]) -> str:
    """A line for machines."""
    trouble = fields.pop("exc_info", None)
    if trouble is not None:
        fields["exception"] = "".join(traceback.format_exception(trouble)).rstrip("\n")
    return ENCODER.encode(fields).decode()


def for_people(stream: TextIO) -> Render:
    """Lines with columns, and with colours on a terminal."""
    # It takes long to import, and a service that a supervisor restarts writes for machines.
    from structlog.dev import ConsoleRenderer  # noqa: PLC0415

    renderer = ConsoleRenderer(colors=stream.isatty())
    return lambda level, fields: str(renderer(None, level, fields))


class Logger:
    """Writes what happened, with fields that say to whom and why."""

    def __init__(self) -> None:
        self.stream: TextIO | None = None
        """Where lines go; standard error, if nothing else was said."""
        self.render: Render = as_json

    def info(self, event: str, /, **fields: Any) -> None:
        """What is as it should be."""
        self.write("info", event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        """What will pass by itself, and is worth a look if it comes often."""
        self.write("warning", event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        """What a person should look at."""
        self.write("error", event, fields)

    def exception(self, event: str, /, **fields: Any) -> None:
        """An error, with the exception that is being handled."""
        self.write("error", event, {"exc_info": sys.exception(), **fields})

    def write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        """One line."""
        at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        line = self.render(level, {**fields, "event": event, "level": level, "timestamp": at})
        stream = self.stream or sys.stderr
        stream.write(f"{line}\n")
        stream.flush()


log: Final = Logger()
"""The log of this process."""


def configure(wanted: LogFormat = "auto", stream: TextIO | None = None) -> None:
    """Set the process's logging up, once, before anything logs."""
    log.stream = stream = cast("TextIO", stream or sys.stderr)
    people = wanted == "console" or (wanted == "auto" and stream.isatty())
    log.render = for_people(stream) if people else as_json
    logging.basicConfig(handlers=[Foreign()], level=FOREIGN_LEVEL, force=True)


def why(body: bytes) -> str:
    """What a refusal says to whom it refuses: its text, or the code and the message of an S3 error
    document. (Never where: a URL may be a credential.)"""
    text = body[: 4 * WHY_CHARS_MAX].decode("utf-8", "replace").strip()
    if (found := S3_ERROR.search(text)) is not None:
        text = f"{found[1]}: {unescape(found[2])}"
    return text[:WHY_CHARS_MAX]


class Foreign(logging.Handler):
    """Takes the lines that libraries log and writes them as ours."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info[1]
        log.write(record.levelname.lower(), record.getMessage(), fields)
