"""Goal: the laws of the engine hold on every storage."""

from pathlib import Path

from taijitu.engine.storage import Storage
from taijitu.storage.memory import MemoryStorage
from taijitu.storage.sqlite import SqliteStorage
from taijitu.testing.engine_contract import DurableEngineContract, EngineContract


class TestEngineOnMemory(EngineContract):
    async def open(self, place: Path) -> Storage:
        return MemoryStorage()


class TestEngineOnSqlite(DurableEngineContract):
    async def open(self, place: Path) -> Storage:
        return SqliteStorage.open(place / "taijitu.db")
