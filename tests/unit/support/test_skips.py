"""The guard against silent skips, run on test suites of its own."""

import pytest

from support.skips import is_allowed

SUITE = """
import pytest

@pytest.mark.parametrize("n", [1, 2])
def test_that_is_skipped(n):
    pytest.skip("no such server")

@pytest.mark.xfail(strict=True)
def test_that_fails_as_expected():
    assert False
"""

MODULE = """
import pytest

pytest.skip("no such library", allow_module_level=True)
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("CI", "true")
    pytester.makepyprojecttoml(
        '[tool.pytest.ini_options]\nasyncio_default_fixture_loop_scope = "function"'
    )
    pytester.makeconftest('pytest_plugins = ("support.skips",)')
    (pytester.path / "tests").mkdir()
    return pytester


def write(suite: pytest.Pytester, name: str, text: str) -> None:
    (suite.path / "tests" / name).write_text(text)


def test_a_skip_that_nobody_allowed_fails(suite: pytest.Pytester) -> None:
    write(suite, "test_suite.py", SUITE)
    result = suite.runpytest_inprocess()
    result.assert_outcomes(failed=2, xfailed=1)
    result.stdout.fnmatch_lines(["*was skipped, which skips.toml does not allow*no such server*"])


def test_a_skip_that_is_allowed_with_a_reason_stays_a_skip(suite: pytest.Pytester) -> None:
    write(suite, "test_suite.py", SUITE)
    write(
        suite,
        "skips.toml",
        '[skips]\n"tests/test_suite.py::test_that_is_skipped" = "a server we cannot have here"',
    )
    suite.runpytest_inprocess().assert_outcomes(skipped=2, xfailed=1)


def test_without_ci_every_skip_stays_a_skip(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI")
    write(suite, "test_suite.py", SUITE)
    suite.runpytest_inprocess().assert_outcomes(skipped=2, xfailed=1)


def test_a_whole_module_that_skips_itself_fails(suite: pytest.Pytester) -> None:
    write(suite, "test_suite.py", MODULE)
    suite.runpytest_inprocess().assert_outcomes(errors=1)


def test_an_entry_without_a_reason_stops_the_run(suite: pytest.Pytester) -> None:
    write(suite, "test_suite.py", SUITE)
    write(suite, "skips.toml", '[skips]\n"tests/test_suite.py" = " "')
    result = suite.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(
    ("nodeid", "allowed"),
    [
        ("tests/interop/test_w3up.py::test_one", True),
        ("tests/interop/test_w3up.py::test_one[a/b]", True),
        ("tests/interop_more/test_w3up.py::test_one", False),
        ("tests/unit/test_cid.py::test_one", True),
        ("tests/unit/test_cid.py::test_one_more", False),
    ],
)
def test_an_entry_names_a_test_a_file_or_a_folder(nodeid: str, allowed: bool) -> None:
    entries = {"tests/interop": "why", "tests/unit/test_cid.py::test_one": "why"}
    assert is_allowed(nodeid, entries) is allowed
