"""Leave to put or get one object, as a URL; and whether a request has it.

Law: one number rules. The `expires` told to the engine is the one that is signed into the URL, to
the second, so no clock but the signer's has a say in when an upload is over.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from taijitu.buckets.names import digest_of, path_of
from taijitu.buckets.port import Upload
from taijitu.kernel.record import Record
from taijitu.wire import sigv4

REGION: Final = "auto"
"""Our own URLs have no region; the signature wants one."""

CHECKSUM: Final = "x-amz-checksum-sha256"
"""The header that binds a URL to the bytes: base64 of their sha2-256 digest."""

PUT_HEADERS: Final = frozenset({"content-length", "host", CHECKSUM})
GET_HEADERS: Final = frozenset({"host"})
SECOND: Final = 1000
"""Milliseconds."""

WINDOW_MS_MAX: Final = sigv4.EXPIRES_SECONDS_MAX * SECOND
"""Signatures live a week at most."""


class Signed(Record):
    """The request carries a signature that allows it."""

    expires: int
    """From then on no such request may begin (ms since the epoch)."""

    closes: int
    """From then on none that began in time may succeed (ms since the epoch)."""


class Unsigned(Record):
    """It does not."""

    status: int
    code: str
    """S3's error code."""

    text: str


class Presigner:
    """Makes and checks URLs under one base (scheme, host, port), with one secret.

    `window_ms` is how long a URL can be begun to be used, whole seconds up to a week; `grace_ms`
    how long what began in time may last beyond that.
    """

    def __init__(
        self,
        base: str,
        credentials: sigv4.Credentials,
        *,
        window_ms: int,
        grace_ms: int,
        region: str = REGION,
    ) -> None:
        if window_ms % SECOND or not 0 < window_ms <= WINDOW_MS_MAX:
            raise ValueError(f"the upload window of {window_ms} ms is not whole seconds of a week")
        if grace_ms < 0:
            raise ValueError(f"the grace of {grace_ms} ms is negative")
        self.base = base
        self.host = base.partition("://")[2]
        self.credentials = credentials
        self.region = region
        self.window_ms = window_ms
        self.grace_ms = grace_ms

    def put(self, multihash: bytes, size: int, at_ms: int) -> Upload:
        """Leave to upload `size` bytes with that digest, as of `at_ms`.

        What is signed is whole seconds, so the URL lives the window and up to a second more.
        """
        headers = {
            "content-length": str(size),
            CHECKSUM: b64encode(digest_of(multihash)).decode(),
        }
        signed_at = at_ms // SECOND * SECOND
        window_ms = min(self.window_ms + SECOND * (at_ms > signed_at), WINDOW_MS_MAX)
        url = self.url("PUT", multihash, headers, signed_at, window_ms)
        expires = signed_at + window_ms
        return Upload(url=url, headers=headers, expires=expires, closes=expires + self.grace_ms)

    def get(self, multihash: bytes, at_ms: int, window_ms: int, method: str = "GET") -> str:
        """A URL to read an object with, good for `window_ms` (whole seconds) from `at_ms`."""
        return self.url(method, multihash, {}, at_ms, window_ms)

    def url(
        self, method: str, multihash: bytes, headers: dict[str, str], at_ms: int, window_ms: int
    ) -> str:
        return sigv4.presign(
            method,
            self.base,
            path_of(multihash),
            headers,
            credentials=self.credentials,
            region=self.region,
            at=at_ms // SECOND,
            expires_in=window_ms // SECOND,
        )

    def check(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        *,
        now_ms: int,
        signed: frozenset[str],
    ) -> Signed | Unsigned:
        """Whether a request may be. `path` and `query` as they came, escaped; `headers` by
        lower-case name; `signed` the headers that have to be signed (`PUT_HEADERS`, `GET_HEADERS`).

        The host that is checked is the one that was signed, whatever the client or a proxy says:
        what a URL allows does not depend on how it travelled.
        """
        verdict = sigv4.verify(
            method,
            path,
            query,
            {**headers, "host": self.host},
            signed=signed,
            credentials=self.credentials,
            region=self.region,
            now=now_ms // SECOND,
            # We made it: if it seems to be of later than now, our clock was set back since.
            skew_max=None,
        )
        if isinstance(verdict, sigv4.Refused):
            return Unsigned(verdict.status, verdict.code, verdict.message)
        expires = verdict.expires_at * SECOND
        return Signed(expires, expires + self.grace_ms)
