"""`taijitu backup` and `taijitu restore`: everything an installation is, to a folder and back."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from taijitu.cli import words
from taijitu.cli.door import NobodyThere, knock
from taijitu.cli.reach import adopted, insist_on_data
from taijitu.cli.trouble import Refusal
from taijitu.server import config as configuration
from taijitu.server.config import Config

if TYPE_CHECKING:
    from taijitu.server.backup import Status

LOOK_SECONDS: Final = 0.1
"""Between two looks at how far it has come."""

STAGES: Final = {
    "bytes": "objects",
    "database": "the database",
    "entries": "what it calls stored",
    "done": "done",
    "failed": "failed",
}

Look = Callable[[], dict[str, Any]]


def backup(folder: Path, /, *, json: bool = False) -> None:
    """Make a backup: the database, the key and all objects, as of one moment.

    The service goes on meanwhile. Objects are hard links where the folder is on the same disk (they
    never change), and copies elsewhere. The backup holds the private key: keep it as you keep that.

    Parameters
    ----------
    folder
        Where it goes: an empty folder, or a new one, outside the data folder.
    json
        Print JSON: what `backup.json` in the folder says.
    """
    config = adopted(configuration.load().config)
    target = folder.resolve()
    try:
        knock(config.data, "backup", {"folder": str(target)})
        found = followed(lambda: knock(config.data, "backup-status", {}))
    except NobodyThere:
        found = directly(config, target)
    if json:
        words.print_json(found)
        return
    print(f"A backup is in {target}: {held(found)}.")
    if not found["has_key"]:
        print("The key is not in it: it comes from TAIJITU_KEY. Keep that as well.")
    if found["lost"]:
        lost = words.count(len(found["lost"]), "object that is", "objects that are")
        print(f"The bucket does not have {lost} called stored.")


def directly(config: Config, target: Path) -> dict[str, Any]:
    """Make the backup in this process, as the owner of the data folder."""
    from taijitu.server import folder, identity
    from taijitu.server.backup import back_up, start

    insist_on_data(config.data)
    with folder.take(config.data):
        folder.insist_on_whole(config.data)
        signer = identity.identify(config)
        return ended(start(lambda status: back_up(config, signer, target, status)))


def restore(folder: Path, /, *, json: bool = False) -> None:
    """Make a data folder of a backup.

    TAIJITU_DATA says where; nothing may be there yet. Every object is checked against its name, and
    the database against the objects. If anything is wrong, nothing is restored.

    Parameters
    ----------
    folder
        The backup.
    json
        Print JSON: what `backup.json` in the folder says.
    """
    from taijitu.server.backup import start
    from taijitu.server.restore import restore as run

    config = configuration.load().config
    found = ended(start(lambda status: run(config, folder.resolve(), status)))
    if json:
        words.print_json(found)
        return
    print(f"{config.data} is restored: {held(found)}, all checked.")
    print(f"It is as it was on {words.moment(found['made_at'])[:19]} UTC.")
    if not found["has_key"]:
        print(f"The key was not in the backup: start it with the TAIJITU_KEY of {found['key']}.")
    if config.did != found["did"]:
        print(f"It belongs to {found['did']}: start it with the public URL it had, or with")
        print(f"TAIJITU_DID={found['did']}")


def held(manifest: dict[str, Any]) -> str:
    """What a backup holds, for people."""
    objects = words.count(manifest["objects"], "object", "objects")
    entries = words.count(manifest["entries"], "entry", "entries")
    return f"{entries}, {objects} of {words.size(manifest['bytes'])} together"


def ended(status: "Status") -> dict[str, Any]:
    """Follow work in this process to its end."""
    return followed(status.told)


def followed(look: Look) -> dict[str, Any]:
    """Show how work goes until it is over; what came of it. Raises `Refusal` if nothing did."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(file=sys.stderr)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as progress:
        bar = progress.add_task("", total=None)
        while (told := look())["stage"] not in ("done", "failed"):
            progress.update(
                bar,
                description=f"{STAGES[told['stage']]:20}",
                completed=told["done"],
                total=told["total"] or None,
            )
            time.sleep(LOOK_SECONDS)
    if told["stage"] == "failed":
        raise Refusal(told["trouble"])
    return told["manifest"]
