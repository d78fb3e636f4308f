"""With `CI` set a skip is a failure, unless `tests/skips.toml` allows it and says why.

A test that silently stops running looks like one that passes. An expected failure
(`xfail`) is no skip: it did run.
"""

import os
import tomllib
from collections.abc import Generator
from pathlib import Path

import pytest

ALLOWED_FILE = "skips.toml"
"""Beside the top `conftest.py`; where it is missing, no skip is allowed."""


def read_allowed(path: Path) -> dict[str, str]:
    """What may be skipped -> why. Raises `UsageError` for an entry without a reason."""
    if not path.exists():
        return {}
    allowed = tomllib.loads(path.read_text(encoding="utf-8")).get("skips", {})
    for name, reason in allowed.items():
        if not isinstance(reason, str) or not reason.strip():
            raise pytest.UsageError(f"{path.name}: {name!r} needs a reason")
    return allowed


def is_allowed(nodeid: str, allowed: dict[str, str]) -> bool:
    """Does an entry name this test, its class, its file or a folder it is in?"""
    name = nodeid.partition("[")[0]
    return any(name == entry or name.startswith((f"{entry}/", f"{entry}::")) for entry in allowed)


class SkipGuard:
    """Turns a skip that nobody allowed into a failure that names the remedy."""

    def __init__(self, allowed: dict[str, str]) -> None:
        self.allowed = allowed

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if not hasattr(report, "wasxfail"):
            self.judge(report)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        self.judge(report)
        return report

    def judge(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not is_allowed(report.nodeid, self.allowed):
            report.longrepr = (
                f"{report.nodeid} was skipped, which {ALLOWED_FILE} does not allow: "
                f"{reason_of(report)}"
            )
            report.outcome = "failed"


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    where_and_why = report.longrepr
    return where_and_why[2] if isinstance(where_and_why, tuple) else str(where_and_why)


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI"):
        allowed = read_allowed(config.rootpath / "tests" / ALLOWED_FILE)
        config.pluginmanager.register(SkipGuard(allowed), "skip-guard")
