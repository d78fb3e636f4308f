"""Presigned URLs: AWS Signature Version 4 in its query form, made and checked.

Law: a URL allows one method on one path, with exactly the headers it was made for, until it
expires. Changing any of that, or any character of the URL, makes it worthless.
(https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html)
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from taijitu.kernel.record import Record

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SERVICE: Final = "s3"
TERMINATOR: Final = "aws4_request"
PAYLOAD: Final = "UNSIGNED-PAYLOAD"
EXPIRES_SECONDS_MAX: Final = 604_800
"""A week: S3 takes no more."""
SKEW_SECONDS_MAX: Final = 900
"""How far ahead of our clock the signer's clock may be."""
QUERY_LENGTH_MAX: Final = 4_096
"""Characters of a query string that we look at."""
PARAMETERS: Final = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)
"""The parameters of a presigned URL, in the order we write and expect them."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Credentials(Record):
    """Who signs, and with what. Not printed with its secrets."""

    access_key: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key!r})"


class Verified(Record):
    """A request that its URL allows."""

    issued_at: int
    """Seconds since 1970."""
    expires_at: int
    """Seconds since 1970; the URL is good until then, exclusively."""
    headers: dict[str, str]
    """The signed headers and their values."""


class Refused(Record):
    """A request that its URL does not allow, in S3's terms."""

    status: int
    code: str
    """S3's error code, as `SignatureDoesNotMatch`."""
    message: str


def presign(
    method: str,
    base: str,
    path: str,
    headers: Mapping[str, str],
    *,
    credentials: Credentials,
    region: str,
    at: int,
    expires_in: int,
) -> str:
    """The URL that allows `method` on `path` under `base`, sent with exactly these `headers`.

    `base` is `https://host[:port]` with or without a path that is already escaped; `path` begins
    with a slash and is not escaped yet. `headers` have lower-case names, `host` is added.
    `at` is in seconds since 1970, `expires_in` in seconds, 1 … `EXPIRES_SECONDS_MAX`.
    Raises `ValueError` for anything else.
    """
    if not 0 < expires_in <= EXPIRES_SECONDS_MAX:
        raise ValueError(f"a URL cannot be good for {expires_in} seconds")
    origin, host, prefix = _split(base)
    if not path.startswith("/"):
        raise ValueError(f"not a path: {path!r}")
    escaped = prefix + quote(path, safe="/")
    signed = {"host": host, **{name: _squeeze(value) for name, value in headers.items()}}
    names = sorted(signed)
    if any(name != name.lower() for name in names):
        raise ValueError("names of headers to sign are written in lower case")
    stamp, query = _unsigned_query(credentials, region, at, expires_in, ";".join(names))
    request = _canonical(method, escaped, query, {name: signed[name] for name in names})
    signature = _sign(credentials.secret_key, stamp, region, request)
    return f"{origin}{escaped}?{query}&X-Amz-Signature={signature}"


@lru_cache(maxsize=64)
def _unsigned_query(
    credentials: Credentials, region: str, at: int, expires_in: int, names: str
) -> tuple[str, str]:
    """The time as it is signed, and the query but for its signature: the same for a second."""
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/{SERVICE}/{TERMINATOR}"
    token = credentials.session_token
    return stamp, (
        f"X-Amz-Algorithm={ALGORITHM}"
        f"&X-Amz-Credential={quote(f'{credentials.access_key}/{scope}', safe='')}"
        f"&X-Amz-Date={stamp}&X-Amz-Expires={expires_in}"
        + (f"&X-Amz-Security-Token={quote(token, safe='')}" if token else "")
        + f"&X-Amz-SignedHeaders={quote(names, safe='')}"
    )


def verify(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    *,
    signed: frozenset[str],
    credentials: Credentials,
    region: str,
    now: int,
    skew_max: int | None = SKEW_SECONDS_MAX,
) -> Verified | Refused:
    """Whether a presigned URL allows this request.

    `path` and `query` are as they came, still escaped. `headers` have lower-case names, repeated
    ones joined by a comma; `host` is the host that URLs are made for, whatever a proxy made of
    it. `signed` are the headers that must be signed: these, and no others. `now` is in seconds
    since 1970, and `skew_max` is how many seconds later the URL may have been made (`None`: any).
    Only URLs that `presign` would write with these credentials are accepted.
    """
    if not (path.isascii() and path.isprintable() and method.isalpha()):
        return SIGNATURE_DOES_NOT_MATCH  # nothing we sign looks like this
    fields = _fields(query)
    if isinstance(fields, Refused):
        return fields
    algorithm, credential, stamp, expires, names, signature = fields
    if algorithm != ALGORITHM:
        return _malformed(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    window = _window(stamp, expires)
    if isinstance(window, Refused):
        return window
    issued_at, expires_at = window
    refused = _check_credential(credential, stamp, credentials, region) or _check_time(
        issued_at, expires_at, now, skew_max
    )
    if refused:
        return refused
    values = _signed_values(names, signed, headers)
    if isinstance(values, Refused):
        return values
    signed_query = query[: -len(f"&X-Amz-Signature={signature}")]
    request = _canonical(method, path, signed_query, values)
    expected = _sign(credentials.secret_key, stamp, region, request)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        return SIGNATURE_DOES_NOT_MATCH
    return Verified(issued_at, expires_at, values)


def _malformed(message: str) -> Refused:
    return Refused(400, "AuthorizationQueryParametersError", message)


ACCESS_DENIED: Final = Refused(403, "AccessDenied", "Access Denied")
EXPIRED: Final = Refused(403, "AccessDenied", "Request has expired")
HEADERS_NOT_SIGNED: Final = Refused(
    403, "AccessDenied", "There were headers present in the request which were not signed"
)
INVALID_ACCESS_KEY: Final = Refused(
    403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
)
SIGNATURE_DOES_NOT_MATCH: Final = Refused(
    403,
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match the signature you provided. "
    "Check your key and signing method.",
)
TOO_SKEWED: Final = Refused(
    403,
    "RequestTimeTooSkewed",
    "The difference between the request time and the current time is too large.",
)
INCOMPLETE: Final = _malformed(
    "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
    "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters, "
    "each once and no others."
)
BAD_CREDENTIAL: Final = _malformed(
    "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; "
    f'expecting "<YOUR-AKID>/YYYYMMDD/REGION/{SERVICE}/{TERMINATOR}".'
)
BAD_DATE: Final = _malformed(
    "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
)
BAD_EXPIRES: Final = _malformed("X-Amz-Expires should be a number")
EXPIRES_TOO_LATE: Final = _malformed(
    "X-Amz-Expires must be less than a week (in seconds); "
    f"that is, the given X-Amz-Expires must be less than {EXPIRES_SECONDS_MAX} seconds"
)


def _fields(query: str) -> list[str] | Refused:
    """The values of `PARAMETERS`, unescaped."""
    if not query:
        return ACCESS_DENIED
    if len(query) > QUERY_LENGTH_MAX or not query.isascii():
        return INCOMPLETE
    pairs = [pair.partition("=") for pair in query.split("&")]
    names = [name for name, _, _ in pairs]
    if not any(name in PARAMETERS for name in names):
        return ACCESS_DENIED
    if tuple(names) != PARAMETERS:
        return INCOMPLETE
    return [*(unquote(value) for _, _, value in pairs[:-1]), pairs[-1][2]]


def _window(stamp: str, expires: str) -> tuple[int, int] | Refused:
    """From when until when the URL is good, in seconds since 1970."""
    digits = stamp[:8] + stamp[9:15]
    if len(stamp) != 16 or stamp[8] + stamp[15] != "TZ" or not _is_decimal(digits):
        return BAD_DATE
    try:
        issued_at = int(datetime.fromisoformat(stamp).timestamp())
    except ValueError:
        return BAD_DATE
    if not _is_decimal(expires):
        return BAD_EXPIRES
    if len(expires) > len(str(EXPIRES_SECONDS_MAX)) or int(expires) > EXPIRES_SECONDS_MAX:
        return EXPIRES_TOO_LATE
    return issued_at, issued_at + int(expires)


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _check_credential(
    credential: str, stamp: str, credentials: Credentials, region: str
) -> Refused | None:
    access_key, *scope = credential.rsplit("/", 4)
    if len(scope) != 4 or scope[2:] != [SERVICE, TERMINATOR]:
        return BAD_CREDENTIAL
    if scope[1] != region:
        return _malformed(
            "Error parsing the X-Amz-Credential parameter; "
            f"the region '{scope[1]}' is wrong; expecting '{region}'"
        )
    if scope[0] != stamp[:8]:
        return _malformed(
            f'Invalid credential date "{scope[0]}". '
            f'This date is not the same as X-Amz-Date: "{stamp[:8]}".'
        )
    return None if access_key == credentials.access_key else INVALID_ACCESS_KEY


def _check_time(issued_at: int, expires_at: int, now: int, skew_max: int | None) -> Refused | None:
    if skew_max is not None and issued_at > now + skew_max:
        return TOO_SKEWED
    return EXPIRED if now >= expires_at else None


def _signed_values(
    names: str, signed: frozenset[str], headers: Mapping[str, str]
) -> dict[str, str] | Refused:
    """The signed headers of this request in order, if they are the ones that must be signed."""
    wanted = sorted(signed)
    if names != ";".join(wanted):
        return Refused(
            403, "AccessDenied", f"X-Amz-SignedHeaders must be exactly {';'.join(wanted)}"
        )
    if any(name.startswith("x-amz-") and name not in signed for name in headers):
        return HEADERS_NOT_SIGNED
    if any(name not in headers for name in wanted):
        return SIGNATURE_DOES_NOT_MATCH
    return {name: _squeeze(headers[name]) for name in wanted}


def _canonical(method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    """The text that is signed. Path and query are escaped, headers squeezed and in order."""
    lines = "".join([f"{name}:{value}\n" for name, value in headers.items()])
    return f"{method}\n{path}\n{query}\n{lines}\n{';'.join(headers)}\n{PAYLOAD}"


def _sign(secret_key: str, stamp: str, region: str, request: str) -> str:
    """The signature in lower-case hex."""
    digest = sha256(request.encode(errors="surrogatepass")).hexdigest()
    scope = f"{stamp[:8]}/{region}/{SERVICE}/{TERMINATOR}"
    text = f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}"
    return hmac.digest(_key(secret_key, stamp[:8], region), text.encode(), "sha256").hex()


@lru_cache(maxsize=16)
def _key(secret_key: str, day: str, region: str) -> bytes:
    """The key of one day, which is why so few are remembered."""
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, SERVICE, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


@lru_cache(maxsize=16)
def _split(base: str) -> tuple[str, str, str]:
    """Origin, host as the `host` header will say it, and path, of a base URL."""
    parts = urlsplit(base)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"not a base URL: {base!r}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.port and parts.port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{parts.port}"
    return f"{parts.scheme}://{host}", host, parts.path.rstrip("/")


def _squeeze(value: str) -> str:
    """A header's value as it is signed: runs of white space are one space."""
    return " ".join(value.split())
