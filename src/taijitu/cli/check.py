"""`taijitu check`: whether the service could start here, told without starting it.

Law: nothing is made and nothing is changed, whatever is found.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from taijitu.cli import words
from taijitu.server import config as configuration
from taijitu.server import identity
from taijitu.server.config import Config, ConfigError
from taijitu.server.trouble import CannotStart

Verdict = Literal["ok", "warning", "wrong"]

SIGNS: dict[Verdict, str] = {"ok": "✔", "warning": "!", "wrong": "✘"}


class Finding(NamedTuple):
    """One thing that was looked at."""

    about: str
    verdict: Verdict
    text: str


def check(*, json: bool = False) -> int:
    """Say whether the service could start here, and why not.

    Looks at the configuration, the data folder, the key, the DID, the port, the database and the
    bucket. Starts nothing and changes nothing. The exit code is 1 if something is wrong.

    Parameters
    ----------
    json
        Print JSON.
    """
    found = list(findings())
    if json:
        words.print_json([finding._asdict() for finding in found])
    else:
        print(told(found))
    return 1 if any(finding.verdict == "wrong" for finding in found) else 0


def told(found: list[Finding]) -> str:
    """The findings, one a line, and what they come to."""
    width = max(len(finding.about) for finding in found)
    lines = [f"{SIGNS[each.verdict]} {each.about:{width}}  {each.text}" for each in found]
    wrong = sum(finding.verdict == "wrong" for finding in found)
    warnings = any(finding.verdict == "warning" for finding in found)
    well = "Nothing is wrong; mind the lines with a !." if warnings else "All is well."
    end = f"{words.count(wrong, 'thing is', 'things are')} wrong." if wrong else well
    return "\n".join([*lines, "", end])


def findings() -> Iterator[Finding]:
    """Everything that can be looked at, in the order in which a start would come across it."""
    try:
        config, warnings = configuration.load()
    except ConfigError as why:
        yield from (Finding("configuration", "wrong", problem) for problem in why.problems)
        return
    yield from (Finding("configuration", "warning", warning) for warning in warnings)
    yield Finding("configuration", "ok", f"{config.did} at {config.public_url}")
    running = service_on(config)
    yield running or looked("port", lambda: port(config))
    yield looked("data folder", lambda: data_folder(config.data))
    yield looked("key", lambda: key(config))
    yield looked("DID", lambda: did(config))
    if running is None:
        yield from stores(config)


def looked(about: str, look: Callable[[], str]) -> Finding:
    """What a look came to: its sentence, or that of the trouble it met."""
    try:
        return Finding(about, "ok", look())
    except CannotStart as why:
        return Finding(about, "wrong", str(why))


def service_on(config: Config) -> Finding | None:
    """The service that runs on the data folder, if one does."""
    from taijitu.cli.door import NobodyThere, knock
    from taijitu.cli.trouble import Refusal

    try:
        about = knock(config.data, "about", {})
    except NobodyThere:
        return None
    except Refusal as why:
        return Finding("service", "wrong", str(why))
    return Finding("service", "ok", f"runs already, as process {about['pid']} at {about['url']}")


def port(config: Config) -> str:
    from taijitu.server.listen import open_port

    open_port(config.host, config.port).close()
    return f"{config.port} on {config.host} is free"


def data_folder(folder: Path) -> str:
    """Raises `CannotStart` for what cannot be used as one, or made."""
    if folder.is_dir():
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise CannotStart(f"{folder} cannot be read and written by this user")
        return str(folder)
    if folder.exists():
        raise CannotStart(f"{folder} is not a folder. Set TAIJITU_DATA to one")
    parent = nearest(folder)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise CannotStart(f"{folder} cannot be made: this user cannot write in {parent}")
    return f"{folder} will be made at the first start"


def nearest(path: Path) -> Path:
    """The closest parent that exists."""
    return next(parent for parent in path.parents if parent.exists())


def key(config: Config) -> str:
    if config.key is not None:
        return f"{identity.from_setting(config.key).key_did} (from TAIJITU_KEY)"
    signer = identity.existing_key(config.data)
    return "will be made at the first start" if signer is None else signer.key_did


def did(config: Config) -> str:
    """Raises `CannotStart` if the data folder belongs to another service."""
    from taijitu.cli.reach import known_did

    known = known_did(config.data)
    if known is None:
        return f"{config.did} from the first start on"
    if known != config.did:
        raise identity.BadIdentity(
            f"{config.data} belongs to {known}, and the settings say {config.did}. Set "
            f"TAIJITU_DID={known}, or give it back the port or the public URL that it had"
        )
    return known


def stores(config: Config) -> Iterator[Finding]:
    """The database and the bucket. Only their owner may open them, so the folder is taken for a
    moment, if it is there."""
    from taijitu.server.folder import take

    if not config.data.is_dir():
        yield looked("database", lambda: database(config))
        yield looked("bucket", lambda: bucket(config))
        return
    try:
        with take(config.data):
            yield looked("database", lambda: database(config))
            yield looked("bucket", lambda: bucket(config))
    except CannotStart as why:
        yield Finding("database", "wrong", str(why))


def database(config: Config) -> str:
    from taijitu.kernel.failures import Fault
    from taijitu.server.installation import sqlite_file
    from taijitu.storage.sqlite import SqliteStorage
    from taijitu.storage.sqlite_file import Unusable

    path = sqlite_file(config)
    if not path.exists():
        return f"{path} will be made at the first start"

    async def open_and_close() -> None:
        await SqliteStorage.open(path).close()

    try:
        asyncio.run(open_and_close())
    except (Fault, Unusable) as why:
        raise CannotStart(str(why)) from None
    return f"{path} opens, {words.size(path.stat().st_size)}"


def bucket(config: Config) -> str:
    from taijitu.server.installation import bucket_folder

    path = bucket_folder(config)
    return data_folder(path)
