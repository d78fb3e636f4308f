"""The buckets we ship are buckets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taijitu.buckets.disk import DiskBucket
from taijitu.buckets.memory import MemoryBucket
from taijitu.buckets.presign import Presigner
from taijitu.testing.bucket_contract import LocalBucketContract, LocalSubject, local
from taijitu.wire.sigv4 import Credentials


def presigner() -> Presigner:
    credentials = Credentials("service", "a secret")
    return Presigner("http://localhost:3000", credentials, window_ms=60_000, grace_ms=5_000)


class TestMemoryBucket(LocalBucketContract):
    @pytest.fixture
    def subject(self) -> LocalSubject:
        return local(MemoryBucket(presigner()))


class TestDiskBucket(LocalBucketContract):
    @pytest.fixture
    async def subject(self, tmp_path: Path) -> AsyncIterator[LocalSubject]:
        bucket = DiskBucket.open(tmp_path / "blobs", presigner())
        yield local(bucket)
        await bucket.close()
