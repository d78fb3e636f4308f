"""The command line in process: what it prints, and the code it ends with."""

from pathlib import Path

import pytest

from support.service import free_port
from taijitu.cli import main
from unit.cli.running import Ended, Run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("key", "new")`, in an empty folder, with the data folder `data` in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("KEY", "DID", "PORT", "HOST", "PUBLIC_URL", "CONFIG", "PROVISION"):
        monkeypatch.delenv(f"TAIJITU_{name}", raising=False)
    monkeypatch.setenv("TAIJITU_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        code = main(arguments)
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return run


@pytest.fixture
def port(run: Run, monkeypatch: pytest.MonkeyPatch) -> int:
    """A port on which nobody listens, and which `run` is told. It is told after `run` has forgotten
    all settings."""
    port = free_port()
    monkeypatch.setenv("TAIJITU_PORT", str(port))
    return port
