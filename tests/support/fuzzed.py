"""Says at the end how many inputs were fuzzed, over all processes that ran tests."""

from itertools import chain

import pytest

PROPERTY = "fuzzed"
"""Under this name a test records its number."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = chain.from_iterable(terminalreporter.stats.values())
    numbers = [
        value
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == PROPERTY and isinstance(value, int)
    ]
    if numbers:
        terminalreporter.write_line(f"fuzzed: {sum(numbers):,} inputs to {len(numbers)} targets")
