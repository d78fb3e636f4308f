"""`GET` and `HEAD` of stored bytes, over a real socket."""

import hashlib
from base64 import b64encode

import pytest

from taijitu.buckets.names import multihash_of, path_of
from taijitu.buckets.presign import CHECKSUM
from unit.server.running import NOON, Service, fresh, raw

SIZE = 600_000


async def test_what_was_put_comes_back_with_its_headers(service: Service) -> None:
    data = fresh(SIZE)
    url = await service.store(data)
    async with service.http.get(url) as answer:
        assert answer.status == 200
        assert await answer.read() == data
        digest = hashlib.sha256(data)
        assert answer.headers["content-type"] == "application/vnd.ipld.car"
        assert answer.headers["content-length"] == str(SIZE)
        assert answer.headers["etag"] == f'"{digest.hexdigest()}"'
        assert answer.headers[CHECKSUM] == b64encode(digest.digest()).decode()
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_head_says_what_get_would_without_the_bytes(service: Service) -> None:
    url = await service.store(fresh(SIZE))
    async with service.http.head(url) as head, service.http.get(url) as whole:
        assert (head.status, await head.read()) == (200, b"")
        varying = {"date", "x-request-id"}
        for name in {*head.headers, *whole.headers} - {name.title() for name in varying}:
            if name.lower() not in varying:
                assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=299999-", 299_999, SIZE),
        ("bytes=-5", SIZE - 5, SIZE),
        ("bytes=-9999999", 0, SIZE),
        ("bytes=599999-9999999", SIZE - 1, SIZE),
    ],
)
async def test_a_range_gives_that_part(service: Service, asked: str, start: int, end: int) -> None:
    data = fresh(SIZE)
    url = await service.store(data)
    async with service.http.get(url, headers={"range": asked}) as answer:
        assert answer.status == 206
        assert await answer.read() == data[start:end]
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
        assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", ["bytes=600000-", "bytes=-0", "bytes=700000-800000"])
async def test_a_range_past_the_end_is_416(service: Service, asked: str) -> None:
    url = await service.store(fresh(SIZE))
    async with service.http.get(url, headers={"range": asked}) as answer:
        assert answer.status == 416
        assert answer.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked", ["bytes=5-2", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes=1"]
)
async def test_a_range_that_is_none_is_ignored(service: Service, asked: str) -> None:
    url = await service.store(fresh(SIZE))
    async with service.http.get(url, headers={"range": asked}) as answer:
        assert (answer.status, len(await answer.read())) == (200, SIZE)


async def test_what_the_client_has_is_not_sent_again(service: Service) -> None:
    url = await service.store(fresh(10))
    async with service.http.head(url) as head:
        etag = head.headers["etag"]
    for value in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        async with service.http.get(url, headers={"if-none-match": value}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
            assert answer.headers["etag"] == etag
    async with service.http.get(url, headers={"if-none-match": '"other"'}) as answer:
        assert answer.status == 200


async def test_a_part_is_only_sent_of_the_object_the_client_knows(service: Service) -> None:
    url = await service.store(fresh(10))
    async with service.http.head(url) as head:
        etag = head.headers["etag"]
    for value, status in ((etag, 206), ('"other"', 200), ("Tue, 24 Nov 2026 05:00:00 GMT", 200)):
        headers = {"range": "bytes=0-1", "if-range": value}
        async with service.http.get(url, headers=headers) as answer:
            assert answer.status == status


async def test_another_object_than_the_one_asked_for_is_412(service: Service) -> None:
    url = await service.store(fresh(10))
    for value, status in (('"other"', 412), ("*", 200)):
        async with service.http.get(url, headers={"if-match": value}) as answer:
            assert answer.status == status


async def test_what_is_not_stored_is_404(service: Service) -> None:
    path = path_of(multihash_of(bytes(32)))
    async with service.http.get(service.url + path) as answer:
        assert answer.status == 404
        assert "not stored" in await answer.text()


@pytest.mark.parametrize(
    "path",
    ["/../../etc/passwd", "/%2e%2e/key", "/blobs/00/" + "0" * 64, "/a/a.car", "//", "/x" * 66],
)
async def test_paths_from_outside_lead_nowhere(service: Service, path: str) -> None:
    async with service.http.get(raw(service.url + path)) as answer:
        assert answer.status == 404


async def test_only_the_canonical_spelling_of_a_link_is_a_name(service: Service) -> None:
    url = await service.store(fresh(10))
    for other in (
        url.upper().replace("HTTP://", "http://"),
        url.replace(".car", ".CAR"),
        url + "/",
    ):
        async with service.http.get(raw(other)) as answer:
            assert answer.status == 404


class TestWhereReadingIsClosed:
    @pytest.fixture
    def reading(self) -> str:
        return "closed"

    async def test_a_plain_url_is_refused_whether_or_not_it_is_there(
        self, service: Service
    ) -> None:
        stored = await service.store(fresh(10))
        for url in (stored, service.url + path_of(multihash_of(bytes(32)))):
            for method in ("GET", "HEAD"):
                async with service.http.request(method, url) as answer:
                    assert answer.status == 403

    async def test_a_signed_url_reads_until_it_expires(self, service: Service) -> None:
        data = fresh(10)
        await service.store(data)
        multihash = multihash_of(hashlib.sha256(data).digest())
        url = raw(service.at(service.urls.get(multihash, NOON, 1000)))
        async with service.http.get(url) as answer:
            assert (answer.status, await answer.read()) == (200, data)
            assert answer.headers["cache-control"].startswith("private")
        async with service.http.head(url) as answer:
            assert answer.status == 403
        service.now[0] = NOON + 1000
        async with service.http.get(url) as answer:
            assert answer.status == 403
