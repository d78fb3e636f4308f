"""Goal: the program as a whole: quick help, one clear sentence when something is wrong, and exit
codes that scripts can rely on."""

import importlib
import inspect
import subprocess
import sys

import pytest

from taijitu import __version__
from taijitu.cli import PIPE_CLOSED, REFUSED, USAGE
from taijitu.cli.commands import COMMANDS
from unit.cli.running import Run

HEAVY = ("taijitu.server", "taijitu.engine", "taijitu.ucan", "apsw", "aiohttp", "uvicorn", "nacl")
FOR_PEOPLE = ("cyclopts", "rich", "structlog", "aiohttp")


def test_without_a_command_it_prints_help(run: Run) -> None:
    ended = run()
    assert ended.code == 0
    assert ended.err == ""
    assert all(name in ended.out for parent, name, *_ in COMMANDS if parent.name == ("taijitu",))


def test_it_says_its_version(run: Run) -> None:
    assert run("--version").out.strip() == __version__


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[1:3]))
def test_the_summary_of_each_command_begins_its_docstring(command: tuple[object, ...]) -> None:
    _, _, where, summary = command
    module, _, name = str(where).partition(":")
    function = getattr(importlib.import_module(f"taijitu.cli.{module}"), name)
    begins = (inspect.getdoc(function) or "").partition("\n")[0]
    # The list of commands has room for a short version.
    assert begins.split()[0] == str(summary).split()[0]
    assert len(str(summary)) <= 62


@pytest.mark.parametrize(
    "command", COMMANDS, ids=lambda command: " ".join((*command[0].name, command[1]))
)
def test_each_command_has_a_page_with_its_whole_docstring(
    run: Run, command: tuple[object, ...]
) -> None:
    parent, name, where, _ = command
    names = [] if parent.name == ("taijitu",) else list(parent.name)  # type: ignore[attr-defined]
    module, _, attribute = str(where).partition(":")
    function = getattr(importlib.import_module(f"taijitu.cli.{module}"), attribute)
    text = (inspect.getdoc(function) or "").partition("\nParameters\n")[0]
    page = run(*names, str(name), "--help").out
    assert "".join(text.split()).replace("`", "") in "".join(page.split())


def test_help_imports_nothing_that_it_does_not_need() -> None:
    script = (
        "import sys; from taijitu.cli import main; main(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_serving_imports_nothing_that_only_people_need() -> None:
    script = (
        "import sys, taijitu.cli, taijitu.cli.serve, taijitu.server.service; "
        f"print([name for name in {FOR_PEOPLE!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bogus"], 'there is no command "bogus"'),
        (["serve", "--fast"], "--fast"),
        (["space", "info"], "DID"),
        (["space", "provision", "did:key:z6Mk", "--capacity", "10XB"], "such as 500MB or 10GiB"),
        (["env", "netscape"], '"w3", "storacha"'),
        (["chart", "nothing"], "there is store, entry"),
        (["chart", "--message", "store/nothing"], "it hears store/add"),
        (["chart", "--states", "--message", "store/add"], "choose one"),
        (["chart", "--all", "--states"], "choose one"),
        (["chart", "ledger", "--at", "did:key:z6Mk", "bafy"], "store only"),
    ],
)
def test_what_nobody_understands_ends_with_2_and_a_sentence(
    run: Run, arguments: list[str], said: str
) -> None:
    ended = run(*arguments)
    assert ended.code == USAGE
    assert ended.out == ""
    assert ended.err.startswith("taijitu: ")
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_a_refusal_ends_with_1_and_a_sentence(run: Run) -> None:
    ended = run("space", "list")
    assert ended.code == REFUSED
    assert ended.out == ""
    assert ended.err.startswith("taijitu: there is no data folder")
    assert "taijitu serve" in ended.err


def test_a_bad_configuration_is_told_in_words(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAIJITU_PORT", "http")
    ended = run("space", "list")
    assert ended.code == REFUSED
    assert "TAIJITU_PORT must be a whole number" in ended.err


def test_output_that_nobody_reads_is_no_traceback() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "taijitu", "chart"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == PIPE_CLOSED
    assert err == b""
