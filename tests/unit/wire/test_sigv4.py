"""Presigned URLs, against botocore as oracle and against everybody who would change one."""

from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from taijitu.wire import sigv4
from taijitu.wire.sigv4 import Credentials, Refused, Verified, presign, verify

NOW = 1_767_225_600
HOUR = 3_600
REGION = "eu-central-1"
BASE = "http://127.0.0.1:3000"
HOST = "127.0.0.1:3000"
PATH = "/bagba/bagba.car"
SERVICE = Credentials("AKIDSERVICE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
UPLOAD = {
    "content-length": "1024",
    "x-amz-checksum-sha256": "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=",
}
SIGNED = frozenset((*UPLOAD, "host"))
REQUEST_HEADERS = {"host": HOST, **UPLOAD, "accept": "*/*"}


def url(**changes: Any) -> str:
    arguments: dict[str, Any] = {
        "credentials": SERVICE,
        "region": REGION,
        "at": NOW,
        "expires_in": HOUR,
    }
    return presign("PUT", BASE, PATH, UPLOAD, **(arguments | changes))


QUERY = urlsplit(url()).query


def check(**changes: Any) -> Verified | Refused:
    arguments: dict[str, Any] = {
        "method": "PUT",
        "path": PATH,
        "query": QUERY,
        "headers": REQUEST_HEADERS,
        "signed": SIGNED,
        "credentials": SERVICE,
        "region": REGION,
        "now": NOW + 1,
    }
    return verify(**(arguments | changes))


def refusal(**changes: Any) -> tuple[int, str]:
    refused = check(**changes)
    assert isinstance(refused, Refused)
    assert refused.message
    return refused.status, refused.code


class Asked(NamedTuple):
    """What a URL is to allow."""

    method: str
    path: str
    headers: dict[str, str]
    expires_in: int


def by_botocore(
    monkeypatch: pytest.MonkeyPatch, asked: Asked, base: str, credentials: Credentials
) -> str:
    """The same URL, as the AWS library signs it."""
    moment = datetime.fromtimestamp(NOW, UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment)
    whole = base.rstrip("/") + quote(asked.path, safe="/~")
    request = AWSRequest(method=asked.method, url=whole, headers=asked.headers)
    keys = BotoCredentials(
        credentials.access_key, credentials.secret_key, credentials.session_token
    )
    S3SigV4QueryAuth(keys, "s3", REGION, expires=asked.expires_in).add_auth(request)
    return str(request.url)


@pytest.mark.parametrize("credentials", [SERVICE, Credentials("A/K+=", "s", "tok/en+==")])
@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("http://127.0.0.1:3000", "127.0.0.1:3000"),
        ("https://bucket.s3.eu-central-1.amazonaws.com", "bucket.s3.eu-central-1.amazonaws.com"),
        ("https://s3.example:443/bucket", "s3.example"),
        ("http://s3.example:80/bucket/", "s3.example"),
        ("http://S3.Example:8080/a%20bucket", "s3.example:8080"),
        ("http://[::1]:9000/bucket", "[::1]:9000"),
    ],
)
@pytest.mark.parametrize(
    "asked",
    [
        Asked("PUT", "/bagba/bagba.car", UPLOAD, 1),
        Asked("GET", "/", {}, 604_800),
        Asked("HEAD", "/a/b/../c//d/.", {}, 60),
        Asked("PUT", "/with space/плюс+%&=?#é😀~-_.*'()!", {"content-length": "0"}, 86_400),
        Asked("DELETE", "/x", {"x-amz-meta-a": "  two   words ", "content-type": "a/b"}, 5),
    ],
    ids=lambda asked: asked.method + str(asked.expires_in),
)
def test_a_url_is_signed_as_the_aws_library_signs_it(
    monkeypatch: pytest.MonkeyPatch, credentials: Credentials, base: str, host: str, asked: Asked
) -> None:
    ours = presign(
        asked.method,
        base,
        asked.path,
        asked.headers,
        credentials=credentials,
        region=REGION,
        at=NOW,
        expires_in=asked.expires_in,
    )
    theirs = by_botocore(monkeypatch, asked, base, credentials)
    assert sorted(parse_qsl(urlsplit(ours).query)) == sorted(parse_qsl(urlsplit(theirs).query))
    assert urlsplit(ours).path == urlsplit(theirs).path
    assert urlsplit(ours).netloc == host


@pytest.mark.parametrize("expires_in", [0, -1, 604_801])
def test_a_url_cannot_be_made_for_longer_than_a_week(expires_in: int) -> None:
    with pytest.raises(ValueError, match="cannot be good for"):
        url(expires_in=expires_in)


@pytest.mark.parametrize(
    "base", ["", "s3.example", "ftp://s3.example", "http://", "http://a/?b", "http://a/#b"]
)
def test_a_base_must_be_a_plain_http_url(base: str) -> None:
    with pytest.raises(ValueError, match="not a base URL"):
        presign("GET", base, "/", {}, credentials=SERVICE, region=REGION, at=NOW, expires_in=1)


def test_a_path_begins_with_a_slash_and_names_are_in_lower_case() -> None:
    rest: Any = {"credentials": SERVICE, "region": REGION, "at": NOW, "expires_in": 1}
    with pytest.raises(ValueError, match="not a path"):
        presign("GET", BASE, "x", {}, **rest)
    with pytest.raises(ValueError, match="lower case"):
        presign("GET", BASE, "/x", {"Content-Length": "1"}, **rest)


def test_secrets_are_not_printed() -> None:
    text = repr(Credentials("AKID", "hidden", "hidden too")) + str([SERVICE])
    assert "AKID" in text
    assert "hidden" not in text
    assert SERVICE.secret_key not in text


def test_a_url_is_good_for_the_request_it_was_made_for() -> None:
    assert check() == Verified(
        NOW, NOW + HOUR, {name: REQUEST_HEADERS[name] for name in sorted(SIGNED)}
    )


def test_a_url_for_reading_needs_no_headers_but_the_host() -> None:
    made = presign(
        "GET", BASE, PATH, {}, credentials=SERVICE, region=REGION, at=NOW, expires_in=HOUR
    )
    query = urlsplit(made).query
    assert isinstance(
        check(method="GET", query=query, headers={"host": HOST}, signed=frozenset(("host",))),
        Verified,
    )


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (NOW - sigv4.SKEW_SECONDS_MAX - 1, (403, "RequestTimeTooSkewed")),
        (NOW - sigv4.SKEW_SECONDS_MAX, None),
        (NOW, None),
        (NOW + HOUR - 1, None),
        (NOW + HOUR, (403, "AccessDenied")),
        (NOW + 10 * HOUR, (403, "AccessDenied")),
    ],
)
def test_a_url_has_its_time(now: int, expected: tuple[int, str] | None) -> None:
    if expected is None:
        assert isinstance(check(now=now), Verified)
    else:
        assert refusal(now=now) == expected


def test_an_expired_url_says_so() -> None:
    assert check(now=NOW + HOUR) == Refused(403, "AccessDenied", "Request has expired")


MALFORMED = (400, "AuthorizationQueryParametersError")
MISMATCH = (403, "SignatureDoesNotMatch")
DENIED = (403, "AccessDenied")
UNKNOWN_KEY = (403, "InvalidAccessKeyId")
PAIRS = QUERY.split("&")


def replaced(name: str, value: str) -> str:
    pairs = [f"{name}={value}" if pair.startswith(f"{name}=") else pair for pair in PAIRS]
    assert pairs != PAIRS
    return "&".join(pairs)


def credential(
    key: str,
    day: str = "20260101",
    region: str = REGION,
    service: str = "s3",
    end: str = "aws4_request",
) -> str:
    return replaced("X-Amz-Credential", "/".join((key, day, region, service, end)))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", DENIED),
        ("a=b", DENIED),
        *(("&".join(pair for pair in PAIRS if pair != gone), MALFORMED) for gone in PAIRS),
        *((f"{QUERY}&{pair}", MALFORMED) for pair in PAIRS),
        *((f"{pair}&{QUERY}", MALFORMED) for pair in PAIRS),
        ("&".join(reversed(PAIRS)), MALFORMED),
        ("&".join([PAIRS[1], PAIRS[0], *PAIRS[2:]]), MALFORMED),
        (f"{QUERY}&x-id=PutObject", MALFORMED),
        (f"{QUERY}&", MALFORMED),
        (f"&{QUERY}", MALFORMED),
        (QUERY.lower(), DENIED),
        (QUERY.replace("&", ";"), MALFORMED),
        (QUERY + "é", MALFORMED),
        (QUERY + "a" * sigv4.QUERY_LENGTH_MAX, MALFORMED),
        (replaced("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"), MALFORMED),
        (replaced("X-Amz-Algorithm", "none"), MALFORMED),
        (replaced("X-Amz-Algorithm", ""), MALFORMED),
        (replaced("X-Amz-Date", "20260101T00000Z"), MALFORMED),
        (replaced("X-Amz-Date", "20260101 000000Z"), MALFORMED),
        (replaced("X-Amz-Date", "20261301T000000Z"), MALFORMED),
        (replaced("X-Amz-Date", "20260101T250000Z"), MALFORMED),
        (replaced("X-Amz-Date", "2026010%D9%A1T000000Z"), MALFORMED),
        (replaced("X-Amz-Date", "00000101T000000Z"), MALFORMED),
        (replaced("X-Amz-Date", "20260101T000001Z"), MISMATCH),
        (replaced("X-Amz-Date", "20251231T235959Z"), MALFORMED),
        (replaced("X-Amz-Expires", "604801"), MALFORMED),
        (replaced("X-Amz-Expires", "9" * 1_000), MALFORMED),
        (replaced("X-Amz-Expires", "-1"), MALFORMED),
        (replaced("X-Amz-Expires", "1e3"), MALFORMED),
        (replaced("X-Amz-Expires", ""), MALFORMED),
        (replaced("X-Amz-Expires", "%C2%B2"), MALFORMED),
        (replaced("X-Amz-Expires", "0"), DENIED),
        (replaced("X-Amz-Expires", "7200"), MISMATCH),
        (replaced("X-Amz-Expires", "03600"), MISMATCH),
        (replaced("X-Amz-Credential", "AKIDSERVICE"), MALFORMED),
        (replaced("X-Amz-Credential", ""), MALFORMED),
        (credential("AKIDSERVICE", region="us-east-1"), MALFORMED),
        (credential("AKIDSERVICE", service="ec2"), MALFORMED),
        (credential("AKIDSERVICE", end="aws5_request"), MALFORMED),
        (credential("AKIDSERVICE", day="20260102"), MALFORMED),
        (credential("MALLORY"), UNKNOWN_KEY),
        (credential("AKIDSERVICE"), MISMATCH),  # its slashes are not escaped
        (replaced("X-Amz-SignedHeaders", "host"), DENIED),
        (replaced("X-Amz-SignedHeaders", ""), DENIED),
        (replaced("X-Amz-SignedHeaders", "host%3Bcontent-length%3Bx-amz-checksum-sha256"), DENIED),
        (replaced("X-Amz-SignedHeaders", "accept%3Bhost"), DENIED),
        (replaced("X-Amz-SignedHeaders", "content-length;host;x-amz-checksum-sha256"), MISMATCH),
        (replaced("X-Amz-Signature", ""), MISMATCH),
        (replaced("X-Amz-Signature", "0" * 64), MISMATCH),
        (replaced("X-Amz-Signature", "%30" * 64), MISMATCH),
        (QUERY[:-1], MISMATCH),
        (QUERY + "0", MISMATCH),
        (QUERY[:-64] + QUERY[-64:].upper(), MISMATCH),
    ],
)
def test_a_query_that_we_did_not_write_is_refused(query: str, expected: tuple[int, str]) -> None:
    assert refusal(query=query) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"method": "GET"}, MISMATCH),
        ({"method": "put"}, MISMATCH),
        ({"method": "PUT\n" + PATH}, MISMATCH),
        ({"path": "/bagba/other.car"}, MISMATCH),
        ({"path": PATH + "/"}, MISMATCH),
        ({"path": "/" + PATH}, MISMATCH),
        ({"path": PATH.replace("g", "%67")}, MISMATCH),
        ({"path": PATH + "é"}, MISMATCH),
        ({"path": ""}, MISMATCH),
        ({"credentials": Credentials("AKIDSERVICE", "another secret")}, MISMATCH),
        (
            {"credentials": Credentials("AKIDOTHER", SERVICE.secret_key)},
            (403, "InvalidAccessKeyId"),
        ),
        ({"region": "us-east-1"}, MALFORMED),
        ({"signed": frozenset(("host",))}, DENIED),
        ({"signed": SIGNED | {"accept"}}, DENIED),
    ],
)
def test_another_request_is_refused(changes: dict[str, object], expected: tuple[int, str]) -> None:
    assert refusal(**changes) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"host": "127.0.0.1:3001"}, MISMATCH),
        ({"host": "127.0.0.1"}, MISMATCH),
        ({"content-length": "1025"}, MISMATCH),
        ({"content-length": "01024"}, MISMATCH),
        ({"content-length": ""}, MISMATCH),
        ({"x-amz-checksum-sha256": "AAAA"}, MISMATCH),
        ({"x-amz-checksum-sha256": UPLOAD["x-amz-checksum-sha256"].lower()}, MISMATCH),
        ({"x-amz-checksum-sha256": "é\ud800"}, MISMATCH),
        ({"x-amz-acl": "public-read"}, DENIED),
        ({"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, DENIED),
    ],
)
def test_other_headers_are_refused(headers: dict[str, str], expected: tuple[int, str]) -> None:
    assert refusal(headers=REQUEST_HEADERS | headers) == expected


@pytest.mark.parametrize("gone", sorted(SIGNED))
def test_a_signed_header_that_is_missing_is_refused(gone: str) -> None:
    headers = {name: value for name, value in REQUEST_HEADERS.items() if name != gone}
    assert refusal(headers=headers) == MISMATCH


def test_headers_that_are_not_signed_may_be_anything() -> None:
    assert isinstance(check(headers=REQUEST_HEADERS | {"accept": "x", "user-agent": "y"}), Verified)


def test_a_url_with_a_session_token_is_not_one_of_ours() -> None:
    token = Credentials(SERVICE.access_key, SERVICE.secret_key, "token")
    query = urlsplit(url(credentials=token)).query
    assert refusal(query=query, credentials=token) == MALFORMED


TEXT = st.characters(min_codepoint=0x21, max_codepoint=0x7E)


@given(position=st.integers(0, len(QUERY) - 1), replacement=TEXT)
def test_changing_any_character_of_the_query_is_refused(position: int, replacement: str) -> None:
    changed = QUERY[:position] + replacement + QUERY[position + 1 :]
    verdict = check(query=changed)
    assert isinstance(verdict, Refused) == (changed != QUERY)


@given(position=st.integers(0, len(PATH) - 1), replacement=TEXT)
def test_changing_any_character_of_the_path_is_refused(position: int, replacement: str) -> None:
    changed = PATH[:position] + replacement + PATH[position + 1 :]
    verdict = check(path=changed)
    assert isinstance(verdict, Refused) == (changed != PATH)


@given(name=st.sampled_from(sorted(SIGNED)), value=st.text())
def test_changing_any_signed_header_is_refused(name: str, value: str) -> None:
    verdict = check(headers=REQUEST_HEADERS | {name: value})
    same = value.split() == [REQUEST_HEADERS[name]]
    assert isinstance(verdict, Refused) != same


@given(
    query=st.text(), path=st.text(), method=st.text(), headers=st.dictionaries(st.text(), st.text())
)
def test_no_request_makes_verification_fail_in_another_way(
    query: str, path: str, method: str, headers: dict[str, str]
) -> None:
    assert isinstance(check(query=query, path=path, method=method, headers=headers), Refused)
    assert isinstance(check(query=f"X-Amz-Date={query}&{QUERY}"), Refused)


@given(
    path=st.text(st.characters(exclude_categories=["Cs"])),
    values=st.dictionaries(
        st.text("abcdefghij-", min_size=1, max_size=20),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)),
        max_size=20,
    ),
    at=st.integers(0, 4_000_000_000),
    expires_in=st.integers(1, 604_800),
)
def test_what_is_presigned_is_verified(
    path: str, values: dict[str, str], at: int, expires_in: int
) -> None:
    made = presign(
        "PUT",
        BASE,
        "/" + path,
        values,
        credentials=SERVICE,
        region=REGION,
        at=at,
        expires_in=expires_in,
    )
    raw_path, _, query = made.removeprefix(BASE).partition("?")
    headers = {"host": HOST, **values}
    verdict = check(path=raw_path, query=query, headers=headers, signed=frozenset(headers), now=at)
    assert isinstance(verdict, Verified)
    assert (verdict.issued_at, verdict.expires_at) == (at, at + expires_in)
