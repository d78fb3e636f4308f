"""Log lines: one event a line on standard error, for people or as JSON.

Law: keys, signatures and query strings (a presigned URL's *is* a credential) are never logged.
"""

import logging
import sys
from typing import Any, Final, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from taijitu.server.settings import LogFormat

FOREIGN_LEVEL: Final = logging.WARNING
"""From which level on the lines of libraries are passed on."""

ENCODER: Final = msgspec.json.Encoder(enc_hook=str)


def configure(wanted: LogFormat = "auto", stream: TextIO | None = None) -> None:
    """Set the process's logging up, once, before anything logs."""
    stream = cast("TextIO", stream or sys.stderr)
    people = wanted == "console" or (wanted == "auto" and stream.isatty())
    renderer: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
        if people
        else [structlog.processors.format_exc_info, as_json]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper("iso", utc=True),
            *renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[Foreign()], level=FOREIGN_LEVEL, force=True)


def as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """The last step of a JSON line."""
    return ENCODER.encode(event).decode()


class Foreign(logging.Handler):
    """Takes the lines that libraries log and writes them as ours."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        logger = structlog.get_logger()
        logger.log(record.levelno, record.getMessage(), **fields)
