"""One HTTP exchange of agent messages, without HTTP: headers and bytes in, headers and bytes out.

Law: whatever becomes of the invocations, a message that can be read is answered with 200 and a
message. A `Refusal` is about the request itself. The texts are those ucanto servers use.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.wire import message
from taijitu.wire.message import MalformedMessage, Message

CONTENT_TYPE: Final = "application/vnd.ipld.car"
ACCEPT_LENGTH_MAX: Final = 4_096
"""Characters of an `accept` header that we look at."""
REASON_LENGTH_MAX: Final = 500
"""Characters of a refusal's reason."""

UNSUPPORTED_TEXT: Final = (
    "The server cannot process the request because the payload format is not supported. "
    "Please check the content-type header and try again with a supported media type."
)
NOT_ACCEPTABLE_TEXT: Final = (
    "The requested resource cannot be served in the requested content type. "
    "Please specify a supported content type using the Accept header."
)
MALFORMED_TEXT: Final = "Bad request: Malformed payload - "

ACCEPTED_RANGES: Final = frozenset((CONTENT_TYPE, "application/*", "*/*"))


class Refusal(Record):
    """Why a request is not looked into."""

    status: int
    headers: dict[str, str]
    text: str


class Answer(Record):
    """One receipt to send back, with what its reader needs."""

    ran: Link
    """The invocation it answers."""
    receipt: Link
    """The receipt's root block."""
    blocks: Mapping[Link, bytes]
    """That block and its company: the invocation, its proofs, the tasks it forked."""


def accept(content_type: str | None, accept: str | None, body: bytes) -> Message | Refusal:
    """Read a request. The content type must be exactly ours; `accept` must allow ours.

    An absent `accept` allows everything. Answers a `Refusal` of status 415, 406 or 400, looked
    for in this order.
    """
    if content_type != CONTENT_TYPE:
        return Refusal(415, {"accept": CONTENT_TYPE}, UNSUPPORTED_TEXT)
    if not _is_acceptable(accept):
        return Refusal(406, {"accept": CONTENT_TYPE}, NOT_ACCEPTABLE_TEXT)
    try:
        return message.decode(body)
    except MalformedMessage as error:
        text = MALFORMED_TEXT + str(error)[:REASON_LENGTH_MAX]
        return Refusal(400, {"content-type": "text/plain"}, text)


def answer(answers: Iterable[Answer]) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a 200 response. A later answer to one invocation wins."""
    report: dict[Link, Link] = {}
    blocks: dict[Link, bytes] = {}
    for item in answers:
        report[item.ran] = item.receipt
        blocks.update(item.blocks)
    return {"content-type": CONTENT_TYPE}, message.encode(report=report, blocks=blocks)


def _is_acceptable(header: str | None) -> bool:
    """Whether one of the media ranges (RFC 9110 §12.5.1) covers our type with a weight."""
    if header is None or header == CONTENT_TYPE:
        return True
    ranges = header[:ACCEPT_LENGTH_MAX].split(",")
    return not header.strip() or any(_covers(text) for text in ranges)


def _covers(media_range: str) -> bool:
    kind, *parameters = (part.strip().lower() for part in media_range.split(";"))
    refused = any(_is_zero_weight(parameter) for parameter in parameters)
    return kind in ACCEPTED_RANGES and not refused


def _is_zero_weight(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0") in ("", "0.", ".")
