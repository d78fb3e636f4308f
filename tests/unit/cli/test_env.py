"""Goal: the settings that are printed are the ones that a client needs, in the words of a shell."""

import json
import shutil
import subprocess
from urllib.parse import urljoin

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
    exported = "".join(f"export {name}={value}\n" for name, value in settings.items())
    said = run("env", client).out
    assert said.startswith(exported)
    assert all(line.startswith("# ") for line in said.removeprefix(exported).splitlines())


def test_what_no_setting_can_do_is_told_where_it_is_needed(run: Run) -> None:
    """The storacha command line asks a gateway elsewhere when it creates a space; w3 does not."""
    assert "--no-gateway-authorization" in run("env", "storacha").out
    assert "gateway" not in run("env", "w3").out
    assert "gateway" not in run("env", "storacha", "--json").out
    assert "skipGatewayAuthorization: true" in run("env", "node").out


@pytest.mark.parametrize("shell", ["fish", "powershell"])
def test_the_hint_is_a_comment_in_every_shell(run: Run, shell: str) -> None:
    settings, hints = run("env", "storacha", "--shell", shell).out.split("# ", 1)
    assert settings.count("\n") == len(NAMES["storacha"])
    assert all(line.startswith("# ") for line in f"# {hints}".splitlines())


@pytest.mark.parametrize("client", NAMES)
def test_receipts_are_at_a_base_that_links_can_be_put_to(run: Run, client: str) -> None:
    """Both command lines resolve a link against it, which drops what follows the last slash."""
    receipts = json.loads(run("env", client, "--json").out)[NAMES[client][2]]
    assert urljoin(receipts, "bafy") == "http://localhost:3000/receipt/bafy"


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
