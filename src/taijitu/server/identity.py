"""Who the service is: its key and its DID, made at first start and kept in the data folder.

Law: a data folder belongs to one DID for ever. Delegations and receipts name it, so a service that
comes up under another name is refused, not started with half of its past unreadable. The key may
change: the public keys that it had before are remembered, and what they signed stays signed.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

from taijitu.server.config import Config, Secret
from taijitu.server.folder import write_whole
from taijitu.server.trouble import CannotStart
from taijitu.ucan import principal
from taijitu.ucan.signer import SEED_SIZE, InvalidKey, Signer

KEY: Final = "key"
DID: Final = "did"
PAST: Final = "past-keys"
"""The file of the public keys that the service had before: a `did:key` a line, the oldest first."""
URL_SECRET: Final = "url-secret"
"""The file of the secret that signs upload URLs, once it is no longer that of the key."""

PAST_KEYS_MAX: Final = 16
"""How many keys of before are remembered: each may cost a signature to be tried."""

FILE_SIZE_MAX: Final = 4096
"""Bytes of any of these files, at most."""

URL_SECRET_CONTEXT: Final = b"taijitu: the secret that signs upload URLs, first version"
"""What is signed to derive that secret. Nothing else that a key signs begins like it."""


class BadIdentity(CannotStart):
    """The key or the DID cannot be used."""


def identify(config: Config) -> Signer:
    """The service's signer, under its DID. The caller owns the data folder (`folder.take`).

    The key is `config.key`, else the one in the data folder, else a new one. Raises `BadIdentity`.
    """
    signer = from_setting(config.key) if config.key else from_folder(config.data)
    keep_did(config.data, config.did)
    return signer.under(config.did)


def existing_key(data: Path) -> Signer | None:
    """The key in the data folder, under its own `did:key`; `None` when there is none yet. Raises
    `BadIdentity` for a key that others may read or that is damaged."""
    path = data / KEY
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(FILE_SIZE_MAX)
    except FileNotFoundError:
        return None
    except OSError as why:
        raise BadIdentity(f"the key file {path} cannot be read: {why.strerror}") from None
    if mode & 0o077:
        raise BadIdentity(
            f"the key file {path} can be read by other users (mode {mode & 0o777:04o}): "
            f"run `chmod 600 {path}`, and make a new key if someone may have read it"
        )
    try:
        return Signer.parse(raw.decode("ascii", "replace").strip())
    except InvalidKey as why:
        raise BadIdentity(f"the key file {path} holds no usable key: {why}") from None


def new_key() -> Signer:
    """A key that never was before."""
    return Signer.from_seed(os.urandom(SEED_SIZE))


def from_setting(key: Secret) -> Signer:
    try:
        return Signer.parse(key.reveal())
    except InvalidKey as why:
        raise BadIdentity(f"TAIJITU_KEY is no usable key: {why}") from None


def from_folder(data: Path) -> Signer:
    signer = existing_key(data)
    if signer is None:
        signer = new_key()
        keep(data / KEY, signer.format())
    return signer


def keep_did(data: Path, did: str) -> None:
    """Remember the DID at first start; refuse another one ever after."""
    path = data / DID
    if not path.exists():
        keep(path, did)
        return
    known = text_in(path)
    if known != did:
        raise BadIdentity(
            f"this data belongs to {known}, and the service was started as {did}. Start it with "
            f"TAIJITU_DID={known} (or the TAIJITU_PUBLIC_URL, TAIJITU_HOST and TAIJITU_PORT it had "
            "before), or with another TAIJITU_DATA"
        )


def keep(path: Path, text: str) -> None:
    try:
        write_whole(path, f"{text}\n".encode())
    except OSError as why:
        raise BadIdentity(f"{path} cannot be written: {why.strerror}") from None


def past_keys(data: Path, signer: Signer) -> tuple[str, ...]:
    """The `did:key`s it signed with before, the oldest first. Raises `BadIdentity`."""
    keys = tuple(dict.fromkeys(text_in(data / PAST).split()))
    for key in keys:
        if not is_key(key):
            raise BadIdentity(f"the file {data / PAST} holds what is no key: {key[:80]!r}")
    return tuple(key for key in keys if key != signer.key_did)[-PAST_KEYS_MAX:]


def is_key(text: str) -> bool:
    try:
        return principal.is_key(text) and bool(principal.from_did(text))
    except principal.InvalidDid:
        return False


def url_secret(data: Path, signer: Signer) -> str:
    """The secret that signs URLs for uploads: that of the first key, so that URLs outlive restarts
    and new keys. Raises `BadIdentity`."""
    return text_in(data / URL_SECRET) or derived_secret(signer)


def derived_secret(signer: Signer) -> str:
    """A secret that follows from a key, so that it is the same on every node. Ed25519 signatures
    are deterministic (RFC 8032, section 5.1.6)."""
    return hashlib.sha256(signer.sign(URL_SECRET_CONTEXT)).hexdigest()


def rotate(data: Path, signer: Signer, *, in_folder: bool, leaked: bool = False) -> Signer:
    """Make a new key in the place of `signer`'s. The caller owns the data folder.

    What the old key signed stays valid, upload URLs too, unless it has `leaked`: then nothing does.
    `in_folder`: the key is the one in the data folder, and is replaced there. Raises `BadIdentity`.
    """
    past = past_keys(data, signer)
    if leaked:
        (data / URL_SECRET).unlink(missing_ok=True)
    else:
        past = (*past, signer.key_did)[-PAST_KEYS_MAX:]
        keep(data / URL_SECRET, url_secret(data, signer))
    if past or (data / PAST).exists():
        keep(data / PAST, "\n".join(past))
    new = new_key()
    if in_folder:
        keep(data / KEY, new.format())
    return new.under(signer.did) if signer.did != signer.key_did else new


def text_in(path: Path) -> str:
    """What a small file says; nothing if there is none. Raises `BadIdentity`."""
    try:
        with path.open("rb") as file:
            return file.read(FILE_SIZE_MAX).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return ""
    except OSError as why:
        raise BadIdentity(f"the file {path} cannot be read: {why.strerror}") from None
