"""Names of objects, and leave to put them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taijitu.buckets.names import UnknownHash, digest_of, link_of, multihash_of, named_by, path_of
from taijitu.buckets.presign import PUT_HEADERS, Presigner, Signed
from taijitu.ipld.cid import CAR, RAW, Link, link_to
from taijitu.wire.sigv4 import Credentials

NAME = multihash_of(bytes(range(32)))
AT = 1_700_000_000_456


def presigner(window_ms: int = 2000, grace_ms: int = 500) -> Presigner:
    return Presigner(
        "http://localhost:3000", Credentials("a", "b"), window_ms=window_ms, grace_ms=grace_ms
    )


@given(st.binary(min_size=32, max_size=32))
def test_a_path_names_the_object_it_was_made_for(digest: bytes) -> None:
    multihash = multihash_of(digest)
    assert named_by(path_of(multihash)) == multihash
    assert digest_of(multihash) == digest
    assert link_of(multihash).codec == CAR


@given(st.text())
def test_no_other_text_is_a_name(text: str) -> None:
    assert named_by(text) is None
    assert named_by(path_of(NAME) + text) == (NAME if text == "" else None)


def test_a_link_that_is_no_car_link_by_sha2_256_is_no_name() -> None:
    identity = Link(b"\x01\x82\x04\x00\x20" + bytes(32))
    for link in (link_to(b"x", RAW), identity):
        assert named_by(f"/{link}/{link}.car") is None
    one, other = link_of(NAME), link_of(multihash_of(bytes(32)))
    assert named_by(f"/{one}/{other}.car") is None


@pytest.mark.parametrize("name", [b"", NAME[:-1], NAME + b"\x00", b"\x00\x20" + bytes(32)])
def test_a_name_of_another_kind_is_refused(name: bytes) -> None:
    with pytest.raises(UnknownHash):
        path_of(name)


def test_the_expiry_that_is_told_is_the_one_that_is_checked() -> None:
    urls = presigner()
    upload = urls.put(NAME, 7, AT)
    assert (upload.expires, upload.closes) == (1_700_000_003_000, 1_700_000_003_500)
    url, _, query = upload.url.partition("?")
    path = url.removeprefix("http://localhost:3000")
    for now_ms, allowed in ((AT, True), (upload.expires - 1, True), (upload.expires, False)):
        verdict = urls.check("PUT", path, query, upload.headers, now_ms=now_ms, signed=PUT_HEADERS)
        assert isinstance(verdict, Signed) == allowed
        if isinstance(verdict, Signed):
            assert (verdict.expires, verdict.closes) == (upload.expires, upload.closes)


@pytest.mark.parametrize("window_ms", [0, -1000, 1500, 604_801_000])
def test_a_window_that_cannot_be_signed_is_refused(window_ms: int) -> None:
    with pytest.raises(ValueError, match="upload window"):
        presigner(window_ms)


def test_a_url_outlives_a_clock_that_was_set_back() -> None:
    """Who asks again is told the URL that was made before: it has to be of use."""
    urls = presigner()
    upload = urls.put(NAME, 7, AT)
    url, _, query = upload.url.partition("?")
    path = url.removeprefix("http://localhost:3000")
    before = AT - 3_600_000
    verdict = urls.check("PUT", path, query, upload.headers, now_ms=before, signed=PUT_HEADERS)
    assert isinstance(verdict, Signed)
    assert verdict.closes == upload.closes
