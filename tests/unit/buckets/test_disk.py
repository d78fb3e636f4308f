"""What is particular to the bucket on disk: its files, its crashes, its disk's refusals."""

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taijitu.buckets import disk
from taijitu.buckets.disk import DiskBucket
from taijitu.buckets.names import multihash_of
from taijitu.buckets.presign import Presigner
from taijitu.kernel.failures import Fault
from taijitu.wire.sigv4 import Credentials

URLS = Presigner("http://localhost", Credentials("a", "b"), window_ms=1000, grace_ms=0)


@pytest.fixture
async def bucket(tmp_path: Path) -> AsyncIterator[DiskBucket]:
    bucket = DiskBucket.open(tmp_path / "blobs", URLS)
    yield bucket
    await bucket.close()


async def put(bucket: DiskBucket, data: bytes) -> bytes:
    multihash = multihash_of(hashlib.sha256(data).digest())
    async with bucket.arrive(multihash, len(data)) as arrival:
        await arrival.write(data)
        await arrival.finish()
    return multihash


def files(bucket: DiskBucket) -> list[Path]:
    return [path for path in bucket.root.rglob("*") if path.is_file()]


async def test_a_file_is_named_by_the_digest_of_what_it_holds(bucket: DiskBucket) -> None:
    data = os.urandom(1000)
    await put(bucket, data)
    (path,) = files(bucket)
    name = hashlib.sha256(data).hexdigest()
    assert path.relative_to(bucket.root).parts == (name[:2], name)
    assert path.read_bytes() == data
    assert path.stat().st_mode & 0o077 == 0


async def test_a_new_start_finds_what_was_stored(bucket: DiskBucket) -> None:
    multihash = await put(bucket, b"bytes")
    again = DiskBucket.open(bucket.root, URLS)
    assert again.stat_now(multihash) == 5
    await again.close()


async def test_what_a_crash_left_is_removed_at_the_start(bucket: DiskBucket) -> None:
    stored = await put(bucket, b"bytes")
    name = stored.hex()[4:]
    for leftover in (f"{name}.abc", f"{name}.deleted", "other"):
        (bucket.incoming / leftover).write_bytes(b"half")
    again = DiskBucket.open(bucket.root, URLS)
    assert list(again.incoming.iterdir()) == []
    assert again.stat_now(stored) == 5
    await again.close()


async def test_a_file_that_is_not_named_like_an_object_is_none(bucket: DiskBucket) -> None:
    multihash = await put(bucket, b"bytes")
    for name in ("notes.txt", "ab", "A" * 64, "0" * 63):
        (bucket.root / "00" / name).write_text("x")
    assert [found async for found in bucket.objects()] == [(multihash, 5)]


async def test_a_disk_that_refuses_is_a_fault_and_nothing_is_left(
    bucket: DiskBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("taijitu.buckets.files.write_all", full)
    with pytest.raises(Fault, match="No space left"):
        await put(bucket, b"bytes")
    assert files(bucket) == []


async def test_an_object_whose_name_is_not_durable_is_not_seen(
    bucket: DiskBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_folder: Path) -> None:
        raise OSError(5, "Input/output error")

    multihash = multihash_of(hashlib.sha256(b"bytes").digest())
    with monkeypatch.context() as patch:
        patch.setattr(disk, "sync_folder", broken)
        with pytest.raises(Fault, match="Input/output"):
            await put(bucket, b"bytes")
        assert bucket.stat_now(multihash) is None
        assert bucket.read_now(multihash, 10) is None
    await put(bucket, b"bytes")
    assert bucket.stat_now(multihash) == 5
    assert bucket.read_now(multihash, 10) == b"bytes"


async def test_an_unreadable_folder_is_a_fault_not_an_absence(bucket: DiskBucket) -> None:
    multihash = multihash_of(hashlib.sha256(b"bytes").digest())
    place = bucket.place_of(multihash[2:])
    place.parent.rmdir()
    place.parent.write_text("a file where a folder was")
    with pytest.raises(Fault):
        bucket.stat_now(multihash)
    with pytest.raises(Fault):
        bucket.read_now(multihash, 10)


async def test_a_delete_that_was_given_up_does_not_hit_later(bucket: DiskBucket) -> None:
    multihash = await put(bucket, b"bytes")
    busy = threading.Event()
    bucket.delete_pool.submit(busy.wait)
    late = asyncio.create_task(bucket.delete(multihash))
    await asyncio.sleep(0)
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    busy.set()
    await bucket.delete(multihash_of(bytes(32)))
    assert bucket.stat_now(multihash) == 5


async def test_a_delete_that_is_under_way_gives_up_at_the_door(bucket: DiskBucket) -> None:
    multihash = await put(bucket, b"bytes")
    given_up = threading.Event()
    given_up.set()
    bucket.remove(multihash[2:], given_up)
    assert bucket.stat_now(multihash) == 5


async def test_a_folder_that_cannot_be_used_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Fault):
        DiskBucket.open(tmp_path / "file" / "blobs", URLS)
