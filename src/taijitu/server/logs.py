"""Log lines: one event a line on standard error, for people or as JSON.

Law: keys, signatures and query strings (a presigned URL's *is* a credential) are never logged.
"""

import logging
import re
import sys
from contextvars import ContextVar
from typing import Any, Final, TextIO, cast
from xml.sax.saxutils import unescape

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from taijitu.server.settings import LogFormat

REQUEST: ContextVar[str] = ContextVar("request", default="")
"""The id of the request that is being answered, for lines about a part of it."""

WHY_CHARS_MAX: Final = 1_000
"""Characters of a refusal's text that a line repeats."""

FOREIGN_LEVEL: Final = logging.WARNING
"""From which level on the lines of libraries are passed on."""

S3_ERROR: Final = re.compile("<Error><Code>(.*?)</Code><Message>(.*?)</Message>", re.DOTALL)

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
            fields["exc_info"] = record.exc_info
        logger = structlog.get_logger()
        logger.log(record.levelno, record.getMessage(), **fields)
