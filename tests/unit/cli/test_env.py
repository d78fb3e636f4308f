"""Goal: the settings that are printed are the ones that a client needs, in the words of a shell."""

import json
import shutil
import subprocess

import pytest

from taijitu.cli.env import line, snippet
from unit.cli.running import Run

NAMES = {
    "w3": ("W3UP_SERVICE_URL", "W3UP_SERVICE_DID", "W3UP_RECEIPTS_ENDPOINT"),
    "storacha": ("STORACHA_SERVICE_URL", "STORACHA_SERVICE_DID", "STORACHA_RECEIPTS_URL"),
}


@pytest.mark.parametrize("client", NAMES)
def test_a_shell_that_reads_the_lines_has_the_settings(run: Run, client: str) -> None:
    url, did, receipts = NAMES[client]
    script = run("env", client).out + f'echo "${url}|${did}|${receipts}"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip().split("|") == [
        "http://localhost:3000",
        "did:web:localhost%3A3000",
        "http://localhost:3000/receipt/",
    ]


@pytest.mark.parametrize("client", NAMES)
def test_the_same_settings_come_as_json(run: Run, client: str) -> None:
    settings = json.loads(run("env", client, "--json").out)
    assert tuple(settings) == NAMES[client]
    assert run("env", client).out == "".join(
        f"export {name}={value}\n" for name, value in settings.items()
    )


def test_the_settings_follow_the_public_url(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAIJITU_PUBLIC_URL", "https://store.example.org")
    settings = json.loads(run("env", "w3", "--json").out)
    assert list(settings.values()) == [
        "https://store.example.org",
        "did:web:store.example.org",
        "https://store.example.org/receipt/",
    ]


def test_each_shell_is_spoken_to_in_its_own_language() -> None:
    assert line("NAME", "a b", "sh") == "export NAME='a b'"
    assert line("NAME", "a b", "fish") == "set -gx NAME 'a b'"
    assert line("NAME", "a b", "powershell") == "$env:NAME = 'a b'"


def test_the_code_for_node_has_url_and_did_filled_in() -> None:
    code = snippet("https://store.example.org", "did:web:store.example.org")
    assert "DID.parse('did:web:store.example.org')" in code
    assert "new URL('https://store.example.org')" in code
    assert "new URL('https://store.example.org/receipt/')" in code
    assert "{{" not in code


def test_a_shell_reads_quoted_values_as_they_are() -> None:
    value = 'it\'s "$HOME" `here`'
    shell = shutil.which("sh")
    assert shell is not None
    script = line("NAME", value, "sh") + '\nprintf %s "$NAME"'
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == value
