"""What every bucket has to do, as tests: a backend that passes is a bucket.

Derive a test class, give it a fixture `subject`, and run it with pytest (asyncio mode `auto`):

    class TestMine(LocalBucketContract):
        @pytest.fixture
        def subject(self) -> Subject:
            return local(MyBucket(...))

`BucketContract` is for any bucket; `LocalBucketContract` adds what those promise that take bytes
in through this process.
"""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress

from taijitu.buckets.names import multihash_of, path_of
from taijitu.buckets.port import (
    PENDING,
    READ_CHUNK,
    Bucket,
    LocalBucket,
    Missing,
    TooLate,
    WrongBytes,
)
from taijitu.buckets.presign import CHECKSUM
from taijitu.kernel.record import Record

AT = 1_700_000_000_456
"""Some moment, in ms since the epoch."""


class Subject(Record):
    """A bucket to be tested, and a way to put bytes into it as an uploader would."""

    bucket: Bucket
    put: Callable[[bytes, bytes], Awaitable[None]]


class LocalSubject(Subject):
    """A bucket that takes bytes in through this process."""

    local: LocalBucket


def local(bucket: LocalBucket) -> LocalSubject:
    """The subject for a bucket that takes bytes in itself."""

    async def put(multihash: bytes, data: bytes) -> None:
        async with bucket.arrive(multihash, len(data)) as arrival:
            await arrival.write(data)
            await arrival.finish()

    return LocalSubject(bucket=bucket, put=put, local=bucket)


def some_bytes(size: int) -> tuple[bytes, bytes]:
    """Fresh bytes, and their multihash."""
    data = os.urandom(size)
    return multihash_of(hashlib.sha256(data).digest()), data


async def whole(
    bucket: Bucket, multihash: bytes, start: int = 0, length: int | None = None
) -> bytes:
    """All that a read gives."""
    async with aclosing(bucket.read(multihash, start, length)) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def everything(bucket: Bucket) -> dict[bytes, int]:
    """All that a listing gives."""
    return {multihash: size async for multihash, size in bucket.objects()}


class BucketContract:
    """The laws of the port."""

    async def test_what_was_never_put_is_absent(self, subject: Subject) -> None:
        absent, _ = some_bytes(1)
        assert await subject.bucket.stat(absent) is None
        assert subject.bucket.stat_now(absent) in (None, PENDING)
        assert subject.bucket.read_now(absent, 10) in (None, PENDING)

    async def test_what_was_put_is_there_with_its_size(self, subject: Subject) -> None:
        multihash, data = some_bytes(1234)
        await subject.put(multihash, data)
        assert await subject.bucket.stat(multihash) == 1234
        assert subject.bucket.stat_now(multihash) in (1234, PENDING)

    async def test_no_bytes_at_all_are_an_object_too(self, subject: Subject) -> None:
        multihash, data = some_bytes(0)
        await subject.put(multihash, data)
        assert await subject.bucket.stat(multihash) == 0
        assert await whole(subject.bucket, multihash) == b""

    async def test_putting_twice_is_putting_once(self, subject: Subject) -> None:
        multihash, data = some_bytes(100)
        await subject.put(multihash, data)
        await subject.put(multihash, data)
        assert await everything(subject.bucket) == {multihash: 100}

    async def test_what_is_read_is_what_was_put(self, subject: Subject) -> None:
        multihash, data = some_bytes(3 * READ_CHUNK + 17)
        await subject.put(multihash, data)
        assert await whole(subject.bucket, multihash) == data

    async def test_a_part_is_read_from_where_to_where_it_was_asked(self, subject: Subject) -> None:
        multihash, data = some_bytes(2 * READ_CHUNK)
        await subject.put(multihash, data)
        for start, length in ((0, 1), (5, 0), (READ_CHUNK - 1, READ_CHUNK), (7, None)):
            part = data[start:] if length is None else data[start : start + length]
            assert await whole(subject.bucket, multihash, start, length) == part
            if length is not None:
                assert await subject.bucket.read_at(multihash, start, length) == part

    async def test_a_part_past_the_end_gives_what_there_is(self, subject: Subject) -> None:
        multihash, data = some_bytes(10)
        await subject.put(multihash, data)
        assert await whole(subject.bucket, multihash, 8, 100) == data[8:]
        assert await whole(subject.bucket, multihash, 10, 1) == b""
        assert await whole(subject.bucket, multihash, 11) == b""
        assert await subject.bucket.read_at(multihash, 8, 100) == data[8:]
        assert await subject.bucket.read_at(multihash, 11, 1) == b""

    async def test_no_chunk_is_larger_than_promised(self, subject: Subject) -> None:
        multihash, data = some_bytes(2 * READ_CHUNK + 1)
        await subject.put(multihash, data)
        async with aclosing(subject.bucket.read(multihash)) as chunks:
            assert max([len(chunk) async for chunk in chunks]) <= READ_CHUNK

    async def test_reading_what_is_absent_says_so(self, subject: Subject) -> None:
        absent, _ = some_bytes(1)
        for reading in (whole(subject.bucket, absent), subject.bucket.read_at(absent, 0, 1)):
            try:
                await reading
            except Missing:
                continue
            raise AssertionError("an absent object was read")

    async def test_what_was_deleted_is_absent(self, subject: Subject) -> None:
        multihash, data = some_bytes(10)
        await subject.put(multihash, data)
        await subject.bucket.delete(multihash)
        assert await subject.bucket.stat(multihash) is None
        assert await everything(subject.bucket) == {}

    async def test_deleting_what_is_absent_is_no_error(self, subject: Subject) -> None:
        multihash, _ = some_bytes(10)
        await subject.bucket.delete(multihash)
        await subject.bucket.delete(multihash)
        assert await subject.bucket.stat(multihash) is None

    async def test_what_was_deleted_can_be_put_again(self, subject: Subject) -> None:
        multihash, data = some_bytes(10)
        await subject.put(multihash, data)
        await subject.bucket.delete(multihash)
        await subject.put(multihash, data)
        assert await whole(subject.bucket, multihash) == data

    async def test_a_listing_holds_every_object_once(self, subject: Subject) -> None:
        sizes: dict[bytes, int] = {}
        for size in (0, 1, 50, 5000):
            multihash, data = some_bytes(size)
            await subject.put(multihash, data)
            sizes[multihash] = size
        found = [one async for one in subject.bucket.objects()]
        assert len(found) == len(sizes)
        assert dict(found) == sizes

    async def test_an_upload_binds_size_and_digest(self, subject: Subject) -> None:
        multihash, _ = some_bytes(10)
        upload = subject.bucket.presign(multihash, 10, AT)
        assert set(upload.headers) == {"content-length", CHECKSUM}
        assert upload.headers["content-length"] == "10"
        assert path_of(multihash) in upload.url

    async def test_an_upload_ends_and_then_closes(self, subject: Subject) -> None:
        multihash, _ = some_bytes(10)
        upload = subject.bucket.presign(multihash, 10, AT)
        assert upload.expires > AT
        assert upload.expires % 1000 == 0
        assert upload.closes >= upload.expires

    async def test_leave_to_upload_is_a_function_of_its_arguments(self, subject: Subject) -> None:
        multihash, _ = some_bytes(10)
        first = subject.bucket.presign(multihash, 10, AT)
        assert subject.bucket.presign(multihash, 10, AT) == first
        assert subject.bucket.presign(multihash, 11, AT).url != first.url
        assert subject.bucket.presign(multihash, 10, AT + 1000).url != first.url

    async def test_a_name_that_is_no_sha2_256_is_refused(self, subject: Subject) -> None:
        for name in (b"", b"\x12\x20", b"\x13\x20" + bytes(32), b"\x12\x20" + bytes(33)):
            for use in (subject.bucket.stat, subject.bucket.delete):
                try:
                    await use(name)
                except ValueError:
                    continue
                raise AssertionError(f"{name!r} was taken for a name")


class LocalBucketContract(BucketContract):
    """What a bucket promises besides that takes bytes in through this process."""

    async def test_it_knows_at_once_what_is_there(self, subject: LocalSubject) -> None:
        multihash, data = some_bytes(10)
        assert subject.bucket.stat_now(multihash) is None
        await subject.put(multihash, data)
        assert subject.bucket.stat_now(multihash) == 10

    async def test_it_gives_at_once_what_is_small(self, subject: LocalSubject) -> None:
        multihash, data = some_bytes(1_000)
        await subject.put(multihash, data)
        assert subject.bucket.read_now(multihash, 1_000) == data
        assert subject.bucket.read_now(multihash, 999) is None
        empty, nothing = some_bytes(0)
        await subject.put(empty, nothing)
        assert subject.bucket.read_now(empty, 0) == b""

    async def test_bytes_may_come_in_any_pieces(self, subject: LocalSubject) -> None:
        multihash, data = some_bytes(2_500_000)
        async with subject.local.arrive(multihash, len(data)) as arrival:
            for piece in (data[:1], b"", data[1:70_000], data[70_000:]):
                await arrival.write(piece)
            await arrival.finish()
        assert await whole(subject.bucket, multihash) == data

    async def test_an_object_is_not_seen_before_it_is_finished(self, subject: LocalSubject) -> None:
        multihash, data = some_bytes(2_000_000)
        async with subject.local.arrive(multihash, len(data)) as arrival:
            await arrival.write(data)
            assert await subject.bucket.stat(multihash) is None
            assert await everything(subject.bucket) == {}
            await arrival.finish()
        assert await subject.bucket.stat(multihash) == len(data)

    async def test_other_bytes_leave_nothing(self, subject: LocalSubject) -> None:
        multihash, data = some_bytes(2_000_000)
        other = data[:-1] + bytes([data[-1] ^ 1])
        await self.refused(subject, multihash, len(data), other, "digest")

    async def test_too_few_bytes_leave_nothing(self, subject: LocalSubject) -> None:
        multihash, data = some_bytes(1000)
        await self.refused(subject, multihash, len(data), data[:-1], "size")

    async def test_too_many_bytes_leave_nothing(self, subject: LocalSubject) -> None:
        multihash, data = some_bytes(1000)
        await self.refused(subject, multihash, len(data), data + b"?", "size")

    async def refused(
        self, subject: LocalSubject, multihash: bytes, size: int, data: bytes, what: str
    ) -> None:
        wrong: str | None = None
        try:
            async with subject.local.arrive(multihash, size) as arrival:
                await arrival.write(data)
                await arrival.finish()
        except WrongBytes as why:
            wrong = why.what
        assert wrong == what
        assert await subject.bucket.stat(multihash) is None
        assert await everything(subject.bucket) == {}

    async def test_wrong_bytes_do_not_touch_the_right_ones(self, subject: LocalSubject) -> None:
        multihash, data = some_bytes(1000)
        await subject.put(multihash, data)
        with suppress(WrongBytes):
            await subject.put(multihash, bytes(1000))
        assert await whole(subject.bucket, multihash) == data

    async def test_an_upload_that_is_left_unfinished_leaves_nothing(
        self, subject: LocalSubject
    ) -> None:
        multihash, data = some_bytes(2_000_000)
        async with subject.local.arrive(multihash, len(data)) as arrival:
            await arrival.write(data)
        assert await subject.bucket.stat(multihash) is None

    async def test_after_the_close_nothing_is_stored(self, subject: LocalSubject) -> None:
        multihash, data = some_bytes(1000)
        try:
            async with subject.local.arrive(multihash, len(data)) as arrival:
                await arrival.write(data)
                await arrival.finish(lambda: False)
        except TooLate:
            assert await subject.bucket.stat(multihash) is None
            assert await everything(subject.bucket) == {}
        else:
            raise AssertionError("bytes were stored after the close")

    async def test_the_same_object_may_arrive_many_times_at_once(
        self, subject: LocalSubject
    ) -> None:
        multihash, data = some_bytes(300_000)
        await asyncio.gather(*(subject.put(multihash, data) for _ in range(8)))
        assert await whole(subject.bucket, multihash) == data
        assert await everything(subject.bucket) == {multihash: len(data)}

    async def test_a_cancelled_upload_leaves_nothing(self, subject: LocalSubject) -> None:
        multihash, data = some_bytes(2_000_000)
        begun = asyncio.Event()

        async def upload() -> None:
            async with subject.local.arrive(multihash, len(data)) as arrival:
                await arrival.write(data[:-1])
                begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(upload())
        await begun.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert await subject.bucket.stat(multihash) is None
        assert await everything(subject.bucket) == {}
