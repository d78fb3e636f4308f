"""Goal: an operator gets along with the command line alone, whether the service runs or not.

Method: real processes; the service where one is needed; what is printed is what is looked at.
"""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.client import random_car, talking_to
from support.command import SECONDS_MAX, new_did, taijitu
from support.node import SCRIPTS, node
from support.service import Serve, Service
from taijitu.ipld import car as cars
from taijitu.ipld.cid import RAW, link_to


@pytest.fixture
def idle(tmp_path: Path) -> Service:
    """A service that was never started."""
    return Service(tmp_path / "data")


# Spaces


def test_spaces_are_the_same_with_and_without_a_running_service(serve: Serve) -> None:
    service = serve()
    alice, bob = new_did(), new_did()
    given = taijitu(service, "space", "provision", alice, "--capacity", "1.5GiB", "--json")
    assert given.code == 0
    assert json.loads(given.out) == {
        "space": alice,
        "capacity": 1_610_612_736,
        "reserved": 0,
        "used": 0,
        "entries": 0,
    }
    asked = [("space", "list"), ("space", "list", "--json"), ("space", "info", alice)]
    while_it_runs = [taijitu(service, *each) for each in asked]
    service.stop()
    assert [taijitu(service, *each) for each in asked] == while_it_runs
    assert taijitu(service, "space", "provision", bob, "--capacity", "1000").code == 0
    service.start()
    listed = json.loads(taijitu(service, "space", "list", "--json").out)
    assert {each["space"]: each["capacity"] for each in listed} == {
        alice: 1_610_612_736,
        bob: 1000,
    }


async def test_what_a_space_holds_is_shown_in_bytes_and_for_people(service: Service) -> None:
    async with talking_to(service) as client:
        space, stored, coming = client.space(), random_car(2048), random_car(1024)
        await space.store(stored)
        await space.add(coming)
        told = json.loads(taijitu(service, "space", "info", space.did, "--json").out)
        told.pop("capacity")
        assert told == {"space": space.did, "reserved": 1024, "used": 2048, "entries": 1}
        words = taijitu(service, "space", "info", space.did).out
    assert "used      2 KiB by 1 entry\n" in words
    assert "reserved  1 KiB for uploads under way\n" in words


def test_an_administrator_need_not_know_the_port(serve: Serve) -> None:
    service = serve()
    service.stop()
    ended = taijitu(service, "space", "list", TAIJITU_PORT="")
    assert (ended.code, ended.err) == (0, "")


def test_a_capacity_that_is_not_given_is_the_usual_one(idle: Service) -> None:
    ended = taijitu(idle, "space", "provision", new_did(), "--json", TAIJITU_SPACE_CAPACITY="3MiB")
    assert json.loads(ended.out)["capacity"] == 3 * 2**20


@pytest.mark.parametrize(
    "arguments", [("space", "list"), ("space", "info", "did:key:z6Mk"), ("key", "show")]
)
def test_looking_makes_no_data_folder(idle: Service, arguments: tuple[str, ...]) -> None:
    ended = taijitu(idle, *arguments)
    assert ended.code == 1
    assert ended.err.startswith("taijitu: there is no data folder")
    assert not idle.data.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("block", "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"),
        ("unblock", "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"),
        ("space", "block", "did:key:z6MkrremFjvTAudhCq8KDPc9cNy8KmZHpiiLC9oQRHi4Z8tu"),
        ("space", "unblock", "did:key:z6MkrremFjvTAudhCq8KDPc9cNy8KmZHpiiLC9oQRHi4Z8tu"),
        ("account", "block", "mallory@example.com"),
    ],
)
def test_nothing_is_said_to_be_blocked_where_there_is_no_service(
    idle: Service, arguments: tuple[str, ...]
) -> None:
    """Whoever looks at the wrong folder would be safe in name only."""
    ended = taijitu(idle, *arguments)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("taijitu: there is no data folder")
    assert not idle.data.exists()


def test_a_folder_that_is_not_ours_is_left_alone(idle: Service) -> None:
    idle.data.mkdir()
    (idle.data / "holiday.jpg").touch()
    ended = taijitu(idle, "space", "list")
    assert ended.code == 1
    assert "is not the data folder of a service" in ended.err
    assert [path.name for path in idle.data.iterdir()] == ["holiday.jpg"]


def test_what_is_no_space_is_refused_alike_with_and_without_a_service(serve: Serve) -> None:
    service = serve()
    asked = [("info", "alice"), ("info", new_did()), ("provision", "did:web:example.org")]
    while_it_runs = [taijitu(service, "space", *each) for each in asked]
    service.stop()
    assert [taijitu(service, "space", *each) for each in asked] == while_it_runs
    assert [each.code for each in while_it_runs] == [1, 1, 1]
    assert all(each.err.startswith("taijitu: ") for each in while_it_runs)


# Serving


def test_a_second_service_on_a_folder_is_refused_and_told_of_the_first(service: Service) -> None:
    again = taijitu(service, "serve")
    elsewhere = taijitu(service, "serve", TAIJITU_PORT=str(service.port + 1))
    assert again.code == elsewhere.code == 1
    for ended in (again, elsewhere):
        assert f"a service runs on {service.data} already" in ended.err
        assert service.url in ended.err
    assert service.is_healthy()


def test_a_port_that_somebody_else_has_is_told(service: Service, idle: Service) -> None:
    ended = taijitu(idle, "serve", TAIJITU_PORT=str(service.port))
    assert ended.code == 1
    assert f"port {service.port} on 127.0.0.1 is in use" in ended.err
    assert "TAIJITU_PORT" in ended.err


def test_a_service_greets_with_all_that_one_needs(service: Service) -> None:
    assert service.url in service.output
    assert service.did in service.output
    assert "taijitu demo" in service.output


def test_a_check_beside_a_running_service_finds_it(service: Service) -> None:
    ended = taijitu(service, "check")
    assert ended.code == 0
    assert f"at {service.url}" in ended.out
    assert ended.out.endswith("All is well.\n")


# Keys


def test_the_key_of_the_service_is_shown_without_its_secret(service: Service) -> None:
    shown = json.loads(taijitu(service, "key", "show", "--json").out)
    about = service.get_json("/version")
    assert shown == {"did": about["did"], "publicKey": about["publicKey"]}


def test_a_key_that_was_made_is_a_key_for_a_service(serve: Serve, tmp_path: Path) -> None:
    idle, path = Service(tmp_path / "nowhere"), tmp_path / "service.key"
    made = taijitu(idle, "key", "new", "--out", str(path), "--json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    service = serve(TAIJITU_KEY=path.read_text().strip())
    assert service.get_json("/version")["publicKey"] == json.loads(made.out)["did"]


# Charts and histories of a real object


async def test_an_object_is_shown_in_the_chart_and_in_its_history(service: Service) -> None:
    async with talking_to(service) as client:
        space, car = client.space(), random_car()
        await space.add(car)
        at = ("chart", "--at", space.did, str(car.link))
        coming = taijitu(service, *at)
        await space.store(car)
        stored = taijitu(service, *at, "--mermaid")
    assert f"{car.link} in {space.did}: Receiving\n" in coming.out
    assert "\n▶ Receiving" in coming.out
    assert stored.out.startswith("flowchart LR\n")
    assert "\nstyle Stored fill:#ffd54f" in stored.out

    told = json.loads(taijitu(service, "history", space.did, str(car.link), "--json").out)
    steps = told["steps"]
    assert [step["state_name"] for step in steps] == ["Active", "Receiving", "Stored"]
    assert [step["message"]["do"] for step in steps] == [
        "store/add",
        "store/receive",
        "store/put",
    ]
    words = taijitu(service, "history", space.did, str(car.link)).out
    assert all(step["cid"] in words for step in steps)
    assert all(each["text"] in words for step in steps for each in step["pipelines"])
    assert "▸ s3/put >> 📬 store/put" in words
    assert "X-Amz-Signature" not in words


async def test_a_history_is_the_same_when_the_service_has_stopped(serve: Serve) -> None:
    service = serve()
    async with talking_to(service) as client:
        space, car = client.space(), random_car()
        await space.store(car)
        await space.remove(car)
    asked = ("history", space.did, str(car.link))
    while_it_runs = taijitu(service, *asked)
    service.stop()
    assert taijitu(service, *asked) == while_it_runs
    assert "Absent" in while_it_runs.out


# Clients


def test_the_code_for_node_runs_as_it_is_printed(service: Service, tmp_path: Path) -> None:
    program = node()
    code = taijitu(service, "env", "node").out
    (tmp_path / "node_modules").symlink_to(SCRIPTS / "node_modules")
    script = tmp_path / "client.mjs"
    script.write_text(
        f"{code}\n"
        "const bytes = crypto.getRandomValues(new Uint8Array(1000))\n"
        "const link = await client.capability.store.add(new Blob([bytes]))\n"
        "const { results } = await client.capability.store.list()\n"
        "console.log(`${link} ${results[0].link}`)\n"
    )
    done = subprocess.run(
        [program, "--preserve-symlinks", str(script)],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    added, listed = done.stdout.splitlines()[-1].split()
    assert added == listed


def test_the_settings_of_a_running_service_are_its_own(service: Service) -> None:
    ended = taijitu(service, "env", "w3", "--json", TAIJITU_PORT="")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {
        "W3UP_SERVICE_URL": service.url,
        "W3UP_SERVICE_DID": service.did,
        "W3UP_RECEIPTS_ENDPOINT": f"{service.url}/receipt/",
    }


# The demo


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where a demo makes its folders."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def test_the_demo_reaches_stored_and_leaves_nothing(idle: Service, temporary: Path) -> None:
    ended = taijitu(idle, "demo", TMPDIR=str(temporary))
    assert (ended.code, ended.err) == (0, "")
    states = [line.split("──▶")[1].split() for line in ended.out.splitlines() if "──▶" in line]
    names = [words[1] if len(words[0]) == 1 else words[0] for words in states]
    assert names[:2] == ["Active", "Receiving"]
    assert names[-2:] == ["Stored", "Absent"]
    assert "verified" in ended.out
    assert "identical" in ended.out
    assert "used by 1 entry · 0 B reserved" in ended.out
    assert "404: the bytes are gone" in ended.out
    assert "\x1b" not in ended.out
    assert list(temporary.iterdir()) == []
    assert not idle.data.exists()


def test_the_demo_takes_a_file_of_ones_own(idle: Service, temporary: Path, tmp_path: Path) -> None:
    block = os.urandom(100_000)
    root = link_to(block, RAW)
    path = tmp_path / "photos.car"
    path.write_bytes(cars.encode((root,), [(root, block)]))
    ended = taijitu(idle, "demo", str(path), TMPDIR=str(temporary))
    assert ended.code == 0
    assert f"photos.car: 97.7 KiB ({path.stat().st_size:,} bytes)" in ended.out
    assert "identical" in ended.out
    assert path.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_nothing(
    idle: Service, temporary: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "taijitu", "demo"],
        env=idle.environment() | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    until(process.stdout, "──▶")
    assert list(temporary.iterdir()) != []
    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 128 + number
    assert err == "\nThe demo was stopped. Nothing of it is left.\n"
    assert list(temporary.iterdir()) == []


def test_a_demo_on_what_is_no_folder_says_so(idle: Service, tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.touch()
    ended = taijitu(idle, "demo", "--folder", str(file))
    assert (ended.code, ended.err) == (1, f"taijitu: {file} is not a folder\n")


@pytest.mark.parametrize("sign", ["has room", "Active", "Receiving", "Stored", "Absent", "wait"])
def test_a_demo_that_was_killed_is_finished_by_the_next(
    idle: Service, tmp_path: Path, sign: str
) -> None:
    folder = str(tmp_path / "demo")
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "taijitu", "demo", "--folder", folder],
        env=idle.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    until(process.stdout, sign)
    process.kill()
    process.communicate()
    ended = taijitu(idle, "demo", "--folder", folder)
    assert (ended.code, ended.err) == (0, "")
    assert ("A demo was killed here" in ended.out) == (sign != "has room")
    assert "404: the bytes are gone" in ended.out
    assert ended.out.endswith(f"What it has written stays in {folder}\n\n")


def until(lines: Iterator[str], sign: str) -> None:
    """Read up to the line that shows it."""
    assert any(sign in line for line in lines), f"{sign} never came"


# Owning the folder


def test_commands_wait_for_one_another(serve: Serve) -> None:
    service = serve()
    service.stop()
    dids = [new_did() for _ in range(3)]
    commands = [
        subprocess.Popen(
            [sys.executable, "-m", "taijitu", "space", "provision", did, "--capacity", "1KiB"],
            env=service.environment(),
            stdout=subprocess.DEVNULL,
        )
        for did in dids
    ]
    assert [command.wait(timeout=SECONDS_MAX) for command in commands] == [0, 0, 0]
    listed = json.loads(taijitu(service, "space", "list", "--json").out)
    assert sorted(each["space"] for each in listed) == sorted(dids)


def test_a_folder_that_somebody_holds_without_a_word_is_told(serve: Serve) -> None:
    service = serve()
    service.stop()
    script = (
        "import sys; from pathlib import Path; from taijitu.server.folder import take; "
        f"lock = take(Path({str(service.data)!r})); print('mine', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=service.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        until(holder.stdout, "mine")
        began = time.monotonic()
        ended = taijitu(service, "space", "list")
        took = time.monotonic() - began
    assert ended.code == 1
    assert f"process {holder.pid} owns {service.data}" in ended.err
    assert took < SECONDS_MAX
