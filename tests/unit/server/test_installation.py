"""Goal: what works in the background serves the service, and does not end it."""

import asyncio
from pathlib import Path

import pytest

from taijitu.actors.audit import Audit, Audited
from taijitu.kernel.failures import Fault, UnknownVersion
from taijitu.server import config as configuration
from taijitu.server.installation import opened


@pytest.mark.parametrize("trouble", [Fault("no disk"), UnknownVersion("no such machine")])
async def test_an_audit_that_breaks_off_does_not_end_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    audited = asyncio.Event()

    async def run(_: Audit) -> Audited:
        audited.set()
        raise trouble

    monkeypatch.setattr(Audit, "run", run)
    environ = {"TAIJITU_DATA": str(tmp_path / "data")}
    async with opened(configuration.load(environ, tmp_path).config) as installation:
        working = asyncio.create_task(installation.work())
        await audited.wait()
        ended, _ = await asyncio.wait([working], timeout=0.05)
        working.cancel()
        await asyncio.wait([working])
        assert not ended
