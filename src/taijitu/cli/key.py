"""`taijitu key`: private keys, made and told by their DIDs.

Law: a private key is shown only to whoever asks for it, and a file never loses the one it holds,
unless it is the service's, and another one is to take its place.
"""

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from taijitu.cli import words
from taijitu.cli.trouble import Refusal

if TYPE_CHECKING:
    from taijitu.ucan.signer import Signer

FILE_SIZE_MAX: Final = 4096
"""Bytes of a key file that are read."""

LABELS: Final = {
    "did": "DID",
    "publicKey": "public key",
    "before": "the key before",
    "key": "private key",
    "file": "file",
}
"""What is shown, and how it is called."""

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
"""What nobody but the owner should be able to do with a key file."""


def new(*, out: Path | None = None, json: bool = False) -> None:
    """Make a new private key.

    Prints its DID and the key itself (`Mg...`), which TAIJITU_KEY and the JavaScript clients take.

    Parameters
    ----------
    out
        Write the key to this file, for its owner only, and print the DID alone. A file that
        exists is never overwritten.
    json
        Print JSON.
    """
    from taijitu.server.identity import new_key

    signer = new_key()
    shown = {"did": signer.did}
    if out is None:
        shown["key"] = signer.format()
    else:
        write(out, signer)
        shown["file"] = str(out)
    tell(shown, json)


def show(
    file: Path | None = None,
    /,
    *,
    private: bool = False,
    json: bool = False,
) -> None:
    """Show whose key the service's (or the one in a file) is.

    Parameters
    ----------
    file
        A key file. Without one: the key of the service, from TAIJITU_KEY or the data folder.
    private
        Print the private key, too. Whoever sees it can sign as its owner.
    json
        Print JSON.
    """
    if file is None:
        name, signer = of_service()
        shown = {"did": name, "publicKey": signer.key_did}
    else:
        signer = in_file(file)
        shown = {"did": signer.did}
    if private:
        shown["key"] = signer.format()
    tell(shown, json)


def rotate(*, leaked: bool = False, json: bool = False) -> None:
    """Give the service a new key. Its DID stays.

    The service must not run meanwhile. What the old key signed stays valid: receipts (the DID
    document goes on naming the old public key), sessions and upload URLs.

    Where the key comes from TAIJITU_KEY, the new one is printed, to be set there.

    Parameters
    ----------
    leaked
        Somebody else may have the old key: nothing that it signed is valid any more. Accounts log
        in again, and uploads that are under way have to be removed and added anew.
    json
        Print JSON.
    """
    from taijitu.cli.reach import adopted, insist_on_data
    from taijitu.server import config as configuration
    from taijitu.server import folder, identity

    config = adopted(configuration.load().config)
    insist_on_data(config.data)
    if config.did.startswith("did:key:"):
        raise Refusal(f"{config.did} is the name of its own key, and could have no other")
    with folder.take(config.data):
        _, signer = of_service()
        in_folder = config.key is None
        new = identity.rotate(config.data, signer, in_folder=in_folder, leaked=leaked)
    shown = {"did": config.did, "publicKey": new.key_did, "before": signer.key_did}
    if not in_folder:
        shown["key"] = new.format()
        print(
            "Set TAIJITU_KEY to the new private key before you start the service", file=sys.stderr
        )
    tell(shown, json)


def tell(shown: dict[str, str], json: bool) -> None:
    if json:
        words.print_json(shown)
    else:
        print(words.columns([(LABELS[name], value) for name, value in shown.items()]))


def write(path: Path, signer: "Signer") -> None:
    """Put a key into a file that was not there before. Raises `Refusal`."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Refusal(
            f"{path} exists already and may hold a key: choose another file, or move that one away"
        ) from None
    except OSError as why:
        raise Refusal(f"{path} cannot be written: {why.strerror}") from None
    with os.fdopen(fd, "w") as file:
        os.fchmod(fd, 0o600)
        file.write(f"{signer.format()}\n")
        file.flush()
        os.fsync(fd)


def in_file(path: Path) -> "Signer":
    """The key in a file. Raises `Refusal`; warns of a file that others may use."""
    from taijitu.ucan.signer import InvalidKey, Signer

    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(FILE_SIZE_MAX).decode("ascii", "replace").strip()
    except OSError as why:
        raise Refusal(f"{path} cannot be read: {why.strerror}") from None
    try:
        signer = Signer.parse(text)
    except InvalidKey as why:
        raise Refusal(f"{path} holds no usable key: {why}") from None
    if mode & OTHERS:
        print(f"warning: other users can use {path}: run `chmod 600 {path}`", file=sys.stderr)
    return signer


def of_service() -> "tuple[str, Signer]":
    """The DID of the service and its key. Raises `Refusal` or `CannotStart`."""
    from taijitu.cli.reach import adopted, insist_on_data
    from taijitu.server import config as configuration
    from taijitu.server import identity

    config = adopted(configuration.load().config)
    if config.key is not None:
        return config.did, identity.from_setting(config.key)
    insist_on_data(config.data)
    signer = identity.existing_key(config.data)
    if signer is None:
        raise Refusal(
            f"there is no key in {config.data}: the service has its key from TAIJITU_KEY, "
            "which is not set here"
        )
    return config.did, signer
