"""`PUT` with a signed URL, over a real socket."""

import asyncio
import hashlib
import io
import re

import pytest

from taijitu.buckets.names import multihash_of
from taijitu.buckets.port import Upload
from taijitu.buckets.presign import CHECKSUM
from unit.server.running import GRACE, NOON, WINDOW, Service, fresh, raw, until


async def test_the_right_bytes_are_stored_and_hinted_at(service: Service) -> None:
    data = fresh(3_000_000)
    multihash, upload = service.upload(data)
    async with service.http.put(
        raw(service.at(upload.url)), data=io.BytesIO(data), headers=upload.headers
    ) as answer:
        assert answer.status == 200
        assert answer.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
        assert answer.headers[CHECKSUM] == upload.headers[CHECKSUM]
    assert service.hints == [multihash]
    assert await service.bucket.stat(multihash) == len(data)


async def test_other_bytes_of_the_same_length_are_a_bad_digest(service: Service) -> None:
    data = fresh(1000)
    multihash, upload = service.upload(data)
    status, text = await service.put(upload.url, fresh(1000), upload.headers)
    assert (status, "<Code>BadDigest</Code>" in text) == (400, True)
    assert await service.bucket.stat(multihash) is None
    assert service.hints == []
    assert service.leftovers() == []


@pytest.mark.parametrize("difference", [-1, 1])
async def test_another_length_is_refused(service: Service, difference: int) -> None:
    data = fresh(1000)
    multihash, upload = service.upload(data)
    other = fresh(1000 + difference)
    headers = upload.headers | {"content-length": str(len(other))}
    status, text = await service.put(upload.url, other, headers)
    assert (status, "SignatureDoesNotMatch" in text) == (403, True)
    assert await service.bucket.stat(multihash) is None


async def test_a_url_for_one_object_is_of_no_use_for_another(service: Service) -> None:
    data, other = fresh(1000), fresh(1000)
    _, upload = service.upload(data)
    wanted, second = service.upload(other)
    path = second.url.partition("?")[0]
    url = f"{path}?{upload.url.partition('?')[2]}"
    for headers in (upload.headers, second.headers):
        assert (await service.put(url, other, headers))[0] == 403
    assert await service.bucket.stat(wanted) is None


@pytest.mark.parametrize("path", ["/elsewhere", "/a/b.car", "/", "/version", "/receipt/x"])
async def test_a_url_with_another_path_stores_nothing(service: Service, path: str) -> None:
    data = fresh(10)
    _, upload = service.upload(data)
    url = f"{service.url}{path}?{upload.url.partition('?')[2]}"
    status, _ = await service.put(url, data, upload.headers)
    assert status == 403
    assert service.hints == []


async def test_a_url_for_putting_is_of_no_use_for_anything_else(service: Service) -> None:
    data = fresh(10)
    _, upload = service.upload(data)
    assert (await service.put(upload.url, data, upload.headers))[0] == 200
    for method in ("GET", "HEAD"):
        async with service.http.request(method, raw(service.at(upload.url))) as answer:
            assert answer.status == 403
    for method in ("POST", "DELETE", "PATCH"):
        async with service.http.request(method, raw(service.at(upload.url))) as answer:
            assert answer.status == 403


async def test_any_changed_character_of_the_signature_is_noticed(service: Service) -> None:
    data = fresh(10)
    _, upload = service.upload(data)
    head, mark, signature = upload.url.partition("X-Amz-Signature=")
    for at in (0, 31, 63):
        changed = signature[:at] + ("0" if signature[at] != "0" else "1") + signature[at + 1 :]
        assert (await service.put(head + mark + changed, data, upload.headers))[0] == 403
    assert service.hints == []


async def test_a_lengthened_expiry_is_noticed(service: Service) -> None:
    data = fresh(10)
    _, upload = service.upload(data)
    url = re.sub(r"X-Amz-Expires=\d+", "X-Amz-Expires=604800", upload.url)
    assert (await service.put(url, data, upload.headers))[0] == 403


async def test_a_url_without_a_signature_is_refused(service: Service) -> None:
    data = fresh(10)
    _, upload = service.upload(data)
    assert (await service.put(upload.url.partition("?")[0], data, upload.headers))[0] == 403


async def test_a_signed_header_that_is_missing_or_changed_is_noticed(service: Service) -> None:
    data = fresh(10)
    _, upload = service.upload(data)
    _, other = service.upload(fresh(10))
    missing = {name: value for name, value in upload.headers.items() if name != CHECKSUM}
    for headers in (missing, upload.headers | {CHECKSUM: other.headers[CHECKSUM]}):
        assert (await service.put(upload.url, data, headers))[0] == 403
    assert service.hints == []


async def test_a_url_expires_to_the_second(service: Service) -> None:
    data = fresh(10)
    _, upload = service.upload(data)
    service.now[0] = upload.expires
    status, text = await service.put(upload.url, data, upload.headers)
    assert (status, "Request has expired" in text) == (403, True)
    service.now[0] = upload.expires - 1
    assert (await service.put(upload.url, data, upload.headers))[0] == 200


async def test_a_body_of_unknown_length_is_refused(service: Service) -> None:
    data = fresh(10)
    _, upload = service.upload(data)
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    path = "/" + upload.url.split("/", 3)[3]
    writer.write(
        f"PUT {path} HTTP/1.1\r\nhost: localhost:3000\r\n{CHECKSUM}: {upload.headers[CHECKSUM]}\r\n"
        "transfer-encoding: chunked\r\n\r\na\r\n".encode()
        + data
        + b"\r\n0\r\n\r\n"
    )
    assert (await reader.readline()).startswith(b"HTTP/1.1 411 ")
    writer.close()


async def begin(
    service: Service, data: bytes, upload: Upload | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A `PUT` of which half has been sent, and taken in so far that a file was begun."""
    before = len(service.leftovers())
    upload = upload or service.upload(data)[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    path = "/" + upload.url.split("/", 3)[3]
    headers = "".join(f"{name}: {value}\r\n" for name, value in upload.headers.items())
    writer.write(f"PUT {path} HTTP/1.1\r\nhost: localhost:3000\r\n{headers}\r\n".encode())
    writer.write(data[: len(data) // 2])
    await until(lambda: len(service.leftovers()) > before)
    return reader, writer


async def test_what_began_in_time_may_end_after_the_expiry(service: Service) -> None:
    data = fresh(4_000_000)
    reader, writer = await begin(service, data)
    service.now[0] = NOON + WINDOW + GRACE - 1
    writer.write(data[len(data) // 2 :])
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    assert len(service.hints) == 1
    writer.close()


async def test_what_began_in_time_may_not_end_after_the_close(service: Service) -> None:
    data = fresh(4_000_000)
    reader, writer = await begin(service, data)
    service.now[0] = NOON + WINDOW + GRACE
    writer.write(data[len(data) // 2 :])
    assert (await reader.readline()).startswith(b"HTTP/1.1 403 ")
    assert service.hints == []
    assert [found async for found in service.bucket.objects()] == []
    assert service.leftovers() == []
    writer.close()


async def test_at_the_close_an_upload_that_hangs_is_ended(service: Service) -> None:
    data = fresh(4_000_000)
    service.now[0] = NOON
    _, upload = service.upload(data)
    service.now[0] = upload.expires - 1
    service.urls.grace_ms = 300
    reader, writer = await begin(service, data, upload)
    service.now[0] = upload.expires + 300
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 403 ")
    assert service.leftovers() == []
    writer.close()


async def test_a_client_that_goes_away_leaves_nothing(service: Service) -> None:
    _, writer = await begin(service, fresh(4_000_000))
    writer.close()
    await until(lambda: not service.leftovers())
    assert [found async for found in service.bucket.objects()] == []
    assert service.hints == []


async def test_a_hint_that_fails_does_not_fail_the_upload(service: Service) -> None:
    async def broken(_multihash: bytes) -> None:
        raise RuntimeError("nobody listens")

    service.app.doors.uploads.hint = broken
    data = fresh(10)
    await service.store(data)
    assert await service.bucket.stat(multihash_of(hashlib.sha256(data).digest())) == 10


async def test_the_same_bytes_may_be_put_again_and_at_once(service: Service) -> None:
    data = fresh(200_000)
    multihash, upload = service.upload(data)
    answers = await asyncio.gather(
        *(service.put(upload.url, data, upload.headers) for _ in range(4))
    )
    assert [status for status, _ in answers] == [200] * 4
    assert [found async for found in service.bucket.objects()] == [(multihash, len(data))]


async def test_one_object_takes_only_so_many_uploads_at_once(service: Service) -> None:
    data = fresh(4_000_000)
    begun = [await begin(service, data) for _ in range(4)]
    multihash, upload = service.upload(data)
    status, text = await service.put(upload.url, data, upload.headers)
    assert (status, "SlowDown" in text) == (503, True)
    for _, writer in begun:
        writer.close()
    await until(lambda: not service.leftovers())
    assert (await service.put(upload.url, data, upload.headers))[0] == 200
    assert service.hints == [multihash]


async def test_forwarded_headers_change_nothing(service: Service) -> None:
    data = fresh(10)
    _, upload = service.upload(data)
    headers = upload.headers | {"x-forwarded-host": "mallory.example", "forwarded": "host=mallory"}
    assert (await service.put(upload.url, data, headers))[0] == 200
