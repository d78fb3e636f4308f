"""Goal: whatever the upstream suites ask of a service over the wire, taijitu does.

Method: the suites as they are published, pinned, in Node.js, each test against a service of its
own (`upstream/run.mjs`). `upstream/expected.toml` lists by name each test that does not pass, with
why; one that fails and is not listed, or passes and is, fails here. The same suites run against the
packages' own servers, behind the same HTTP, to show that a failure is not the harness's.
"""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from support.node import SCRIPTS, node
from support.service import SOURCE

UPSTREAM = SCRIPTS / "upstream"
SUITE_SECONDS_MAX = 900

SUITES = ["web3-upload-api", "storacha-upload-api", "w3up-client"]


class Expected(NamedTuple):
    """What a suite has to come to."""

    tests: int
    """How many there are."""

    failing: dict[str, str]
    """Why each of these does not pass, by name."""


@pytest.fixture
def folder() -> Generator[Path]:
    """For all files of a run. Its path is short, because those of sockets in it have to be."""
    with TemporaryDirectory() as path:
        yield Path(path)


@pytest.mark.full
@pytest.mark.parametrize("suite", SUITES)
def test_an_upstream_suite_passes_but_for_the_tests_that_are_listed(
    suite: str, folder: Path
) -> None:
    assert differences(expected("ours", suite), run(suite, "ours", folder)) == []


@pytest.mark.full
@pytest.mark.parametrize("suite", SUITES)
def test_an_upstream_suite_passes_against_its_own_server_behind_http(
    suite: str, folder: Path
) -> None:
    assert differences(expected("theirs", suite), run(suite, "theirs", folder)) == []


@pytest.mark.parametrize(
    ("outcomes", "sentence"),
    [
        ({"one": "passed", "two": "failed", "three": "failed"}, "fails and is not listed: three"),
        ({"one": "passed", "two": "passed", "three": "passed"}, "is listed, but passed: two"),
        ({"one": "passed", "three": "passed", "4": "passed"}, "is listed, but does not exist: two"),
        ({"one": "skipped", "two": "failed", "three": "passed"}, "skips itself: one"),
        ({"one": "passed", "two": "failed"}, "1 of 3 tests did not run"),
    ],
)
def test_a_run_that_differs_from_the_list_is_told_in_one_sentence(
    outcomes: dict[str, str], sentence: str
) -> None:
    results = {name: {"outcome": each, "error": "no"} for name, each in outcomes.items()}
    [told] = differences(Expected(3, {"two": "because"}), results)
    assert told.startswith(sentence)


def test_a_run_as_the_list_says_has_no_differences() -> None:
    failed = {"outcome": "failed", "error": "no"}
    results = {"one": {"outcome": "passed"}, "two": failed, "three": {"outcome": "passed"}}
    assert differences(Expected(3, {"two": "because"}), results) == []


def expected(target: str, suite: str) -> Expected:
    """What `expected.toml` says. No test may be listed twice."""
    lists = tomllib.loads((UPSTREAM / "expected.toml").read_text(encoding="utf-8"))
    failing: dict[str, str] = {}
    for each in lists[target].get(suite, []):
        for name in each["names"]:
            assert name not in failing, f"listed twice: {name}"
            failing[name] = each["why"]
    return Expected(lists["tests"][suite], failing)


def differences(expected: Expected, results: dict[str, Any]) -> list[str]:
    """A sentence for each test that did not become what it should."""
    unlisted = [
        f"fails and is not listed: {name}\n{result['error']}"
        for name, result in results.items()
        if result["outcome"] == "failed" and name not in expected.failing
    ]
    listed = [
        f"is listed, but {became(results.get(name))}: {name}"
        for name in expected.failing
        if became(results.get(name)) != "failed"
    ]
    skipped = [
        f"skips itself: {name}" for name, each in results.items() if each["outcome"] == "skipped"
    ]
    missing = expected.tests - len(results)
    counted = [f"{missing} of {expected.tests} tests did not run"] if missing else []
    return unlisted + listed + skipped + counted


def became(result: dict[str, Any] | None) -> str:
    """What a test came to, in a word."""
    return "does not exist" if result is None else str(result["outcome"])


def run(suite: str, target: str, folder: Path) -> dict[str, Any]:
    """What became of each test, by name; names are unique within a suite. All files that a run
    makes, the clients' settings among them, are in `folder`."""
    if not (UPSTREAM / "node_modules").is_dir():
        pytest.fail("the upstream suites are not installed; `make test-full` installs them")
    done = subprocess.run(
        [node(), str(UPSTREAM / "run.mjs"), suite, target],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=SUITE_SECONDS_MAX,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{suite} did not run:\n{done.stderr[-8_000:]}", pytrace=False)
    tests = json.loads(done.stdout.splitlines()[-1])["tests"]
    results = {each["name"]: each for each in tests}
    assert len(results) == len(tests)
    return results


def environment(folder: Path) -> dict[str, str]:
    """This process's own, without settings of ours; with what services are started is added."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TAIJITU_")}
    return inherited | {
        "PYTHONPATH": str(SOURCE),
        "TMPDIR": str(folder),
        "UPSTREAM_PYTHON": sys.executable,
        "XDG_CONFIG_HOME": str(folder),
    }
