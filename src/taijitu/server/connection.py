"""One connection: uvicorn's protocol, made impatient.

Law: no peer keeps a connection busy for nothing. Request line and headers have to be complete in
time and of bounded size; a body that nobody wants any more is taken only for a moment; and answers
have to be taken, also those that were given before we began to close.

There is no timer per connection: a `Listener` walks over all of them once a second.
"""

import asyncio
import re
from typing import Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from taijitu.server.limits import (
    CONNECTIONS_MAX,
    HEAD_SIZE_MAX,
    HEAD_TIME_MAX,
    LINGER_TIME_MAX,
    RETRY_AFTER,
    SENT_AT_ONCE,
    SILENCE_MAX,
)

FULL: Final = (
    f"HTTP/1.1 503 Service Unavailable\r\nretry-after: {RETRY_AFTER}\r\n"
    "content-type: text/plain; charset=utf-8\r\ncontent-length: 32\r\nconnection: close\r\n\r\n"
    "Too many connections. Ask again.".encode()
)
HEAD_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 26\r\nconnection: close\r\n\r\n"
    b"The headers are too large."
)

NO_ASCII: Final = re.compile(rb"[\x80-\xff]")


class HeadTooLarge(Exception):
    """Tells the parser to stop."""


class Parting:
    """The transport as one exchange sees it: what it closes ends only when the client has read.

    A socket that is closed while bytes are still coming in is reset, and the answer with it.
    """

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection

    def write(self, data: bytes) -> None:
        self.connection.written += len(data)
        self.connection.transport.write(data)

    def is_closing(self) -> bool:
        return self.connection.transport.is_closing()

    def close(self) -> None:
        self.connection.part()


class Connection(HttpToolsProtocol):
    """A connection that can be asked whether its time is over."""

    head_since: float | None = None
    """When the head that is not complete began (loop time); `None` between and inside requests."""

    head_size = 0
    line_open = True
    """Whether the line with which the next request begins has not all arrived."""

    body_open = False
    """Whether the body of the current request has not all arrived."""

    linger_since: float | None = None
    """When a request with an open body was answered."""

    parting = False
    """Whether the connection ends with the body that is still coming in."""

    written = 0
    """Bytes of answers, all in all."""

    taken = 0
    """How many of them had gone out …"""

    taken_at: float
    """… when the peer last took all that there was, or `SENT_AT_ONCE` of it (loop time)."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.head_since = self.taken_at = self.loop.time()
        if len(self.connections) > CONNECTIONS_MAX:
            transport.write(FULL)
            transport.close()

    def data_received(self, data: bytes) -> None:
        if not self.body_open:
            if self.head_since is None:
                self.head_since = self.loop.time()
            if self.line_open:
                data = self.in_ascii(data)
            self.head_size += len(data)
        super().data_received(data)
        if self.head_since is not None and self.head_size > HEAD_SIZE_MAX:
            if not self.transport.is_closing():
                self.transport.write(HEAD_TOO_LARGE)
            self.transport.close()

    def in_ascii(self, data: bytes) -> bytes:
        """The beginning of a request, its line as the parser takes it: names that were not escaped
        are sent as they are by many clients, and mean the same."""
        end = data.find(b"\n")
        self.line_open = end < 0
        line = data if end < 0 else data[:end]
        if line.isascii():
            return data
        return NO_ASCII.sub(lambda found: b"%%%02X" % ord(found[0]), line) + data[len(line) :]

    def on_headers_complete(self) -> None:
        if self.head_size > HEAD_SIZE_MAX and self.measured() > HEAD_SIZE_MAX:
            raise HeadTooLarge
        self.head_since = None
        self.head_size = 0
        self.body_open = True
        self.linger_since = None
        super().on_headers_complete()
        self.cycle.transport = cast("asyncio.Transport", Parting(self))

    def measured(self) -> int:
        """The size of the head that is complete: what came with it may be the next things."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def send_400_response(self, msg: str) -> None:
        """The parser gives up, because of the peer or because of us."""
        if self.head_since is not None and self.head_size > HEAD_SIZE_MAX:
            self.transport.write(HEAD_TOO_LARGE)
            self.transport.close()
        else:
            super().send_400_response(msg)

    def on_message_complete(self) -> None:
        self.body_open = False
        self.line_open = True
        super().on_message_complete()
        if self.parting:
            self.transport.close()

    def part(self) -> None:
        """Close; as long as a body is coming in only our side, so that the answer is not lost."""
        if self.body_open and not self.transport.is_closing() and self.transport.can_write_eof():
            self.parting = True
            self.transport.write_eof()
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        if self.body_open:
            self.linger_since = self.loop.time()
        super().on_response_complete()

    def is_overdue(self, now: float) -> bool:
        """Whether to end this connection, at `now` (loop time). Ask often."""
        if self.takes_nothing(now):
            return True
        if self.head_since is not None:
            return now - self.head_since > HEAD_TIME_MAX
        lingers = self.body_open and self.linger_since is not None
        return lingers and now - cast("float", self.linger_since) > LINGER_TIME_MAX

    def takes_nothing(self, now: float) -> bool:
        """Whether too little of what waits for the peer was taken, for too long."""
        waiting = self.transport.get_write_buffer_size()
        taken = self.written - waiting
        if not waiting or taken - self.taken >= SENT_AT_ONCE:
            self.taken, self.taken_at = taken, now
        return now - self.taken_at > SILENCE_MAX
