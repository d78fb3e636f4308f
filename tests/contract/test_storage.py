"""Every storage backend passes the published suite, and they all come to the same contents."""

from pathlib import Path

from taijitu.engine.storage import Storage
from taijitu.storage.memory import MemoryStorage
from taijitu.storage.sqlite import SqliteStorage
from taijitu.testing.storage_contract import DurableStorageContract, StorageContract


class TestMemoryStorage(StorageContract):
    async def open(self, place: Path) -> Storage:
        return MemoryStorage()


class TestSqliteStorage(DurableStorageContract):
    async def open(self, place: Path) -> Storage:
        return SqliteStorage.open(place / "taijitu.db")
