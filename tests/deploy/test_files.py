"""Goal: the files for operators are sound, as far as that shows without installing them.

Method: read them as their programs do; run the parts that can be run here.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path
from typing import Final

import pytest

from support.service import Serve

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"


def instructions() -> list[tuple[str, str]]:
    """The container file's instructions and what they are given, lines that go on joined."""
    text = re.sub(r"\\\n\s*", " ", (DEPLOY / "Containerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def given(name: str) -> list[str]:
    return [value for instruction, value in instructions() if instruction == name]


def test_the_image_runs_as_nobody_in_particular_and_says_whether_it_is_well() -> None:
    (user,) = given("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    names = [name for name, _ in instructions()]
    assert names.index("USER") > max(at for at, name in enumerate(names) if name == "RUN")
    assert (given("ENTRYPOINT"), given("CMD")) == (['["taijitu"]'], ['["serve"]'])
    assert given("STOPSIGNAL") == ["SIGTERM"]
    assert len(given("HEALTHCHECK")) == 1


def test_the_image_is_made_of_pinned_parts_that_are_there() -> None:
    for image in given("FROM"):
        assert ":" in image.split()[0]
        assert "latest" not in image
    for copied in (value.split() for value in given("COPY") if "--from" not in value):
        for source in copied[:-1]:
            assert (ROOT / source).exists(), source
    installs = [run for run in given("RUN") if "pip install" in run]
    assert len(installs) == 2
    for install in installs:
        assert "--no-cache-dir" in install
        assert "--require-hashes" in install or "--no-deps --no-build-isolation" in install


def test_the_health_check_tells_a_service_that_answers_from_none(serve: Serve) -> None:
    service = serve()
    command = given("HEALTHCHECK")[0].partition("CMD ")[2]
    python, *arguments = json.loads(command)
    assert python == "python"

    def healthy() -> bool:
        asked = [argument.replace("3000", str(service.port)) for argument in arguments]
        done = subprocess.run(
            [sys.executable, *asked], capture_output=True, check=False, timeout=30
        )
        return done.returncode == 0

    assert healthy()
    service.stop()
    assert not healthy()


def unit() -> RawConfigParser:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "taijitu.service")
    return parser


def test_the_unit_shuts_the_service_in() -> None:
    service = unit()["Service"]
    assert service["User"] not in ("", "root")
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["StateDirectoryMode"] == "0700"
    assert int(service["TimeoutStopSec"]) > 10, "longer than it takes to stop"
    assert shlex.split(service["ExecStart"])[1:] == ["serve"]


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    text = (DEPLOY / "taijitu.service").read_text()
    copy = tmp_path / "taijitu.service"
    copy.write_text(text.replace("/opt/taijitu/bin/taijitu", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    about_it = [line for line in done.stderr.splitlines() if "taijitu.service" in line]
    assert about_it == []
