"""Asking an installation: through the admin door while its service runs, else directly.

Law: the answer is the same either way. Directly means that this process owns the data folder for a
moment; a command that only reads makes nothing, not even the folder.
"""

import asyncio
import time
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from taijitu.cli.door import NobodyThere, knock
from taijitu.cli.trouble import Refusal
from taijitu.server import config as configuration
from taijitu.server import identity
from taijitu.server.config import Config
from taijitu.server.folder import FolderInUse

WAIT_MAX: Final = 5.0
"""Seconds to wait for a data folder that another process owns without answering: a service that
starts or stops, or another command."""

PAUSE: Final = 0.05
"""Seconds between two tries."""


def ask(verb: str, *, writes: bool = False, **arguments: Any) -> Any:
    """What the installation of this environment answers to a verb of the admin door.

    Raises `Refusal` or `CannotStart`. Only what `writes` may make an installation that is not
    there yet.
    """
    config = adopted(configuration.load().config)
    give_up = time.monotonic() + WAIT_MAX
    while True:
        try:
            return knock(config.data, verb, arguments)
        except NobodyThere:
            pass
        if not writes:
            insist_on_data(config.data)
        try:
            return asyncio.run(directly(config, verb, arguments))
        except FolderInUse as why:
            if time.monotonic() > give_up:
                raise Refusal(
                    f"{owner(why)} owns {config.data} and does not answer. If it is a service "
                    "that starts or stops, ask again in a moment"
                ) from None
        time.sleep(PAUSE)


async def directly(config: Config, verb: str, arguments: dict[str, Any]) -> Any:
    """Open the installation, ask, and close it again. Raises as `ask`, and `FolderInUse`."""
    from taijitu.kernel.failures import Fault
    from taijitu.server.admin import Admin, BadRequest
    from taijitu.server.installation import opened

    async with opened(config) as installation:
        try:
            return await Admin(installation).ask(verb, arguments)
        except (BadRequest, Fault) as why:
            raise Refusal(str(why)) from None


def adopted(config: Config) -> Config:
    """The configuration under the DID that the data folder already has: an administrator need not
    say again on which port the service was started."""
    known = known_did(config.data)
    return replace(config, did=known) if known else config


def known_did(folder: Path) -> str | None:
    """The DID that a data folder belongs to, if it is the data folder of a service."""
    try:
        with (folder / identity.DID).open("rb") as file:
            text = file.read(identity.FILE_SIZE_MAX).decode("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as why:
        raise Refusal(f"{folder / identity.DID} cannot be read: {why.strerror}") from None
    return text or None


def insist_on_data(folder: Path) -> None:
    """Raises `Refusal` where no service ever kept anything."""
    if not folder.is_dir():
        raise Refusal(
            f"there is no data folder {folder}. Set TAIJITU_DATA to the folder of the service, "
            "or start one with `taijitu serve`"
        )
    if known_did(folder) is None:
        raise Refusal(
            f"{folder} is not the data folder of a service. Set TAIJITU_DATA to the one that is, "
            "or start one there with `taijitu serve`"
        )


def owner(why: FolderInUse) -> str:
    return f"process {why.pid}" if why.pid else "another process"
