"""The key of an agent: made, or read from where it is kept."""

import os
from pathlib import Path
from typing import Final

from taijitu.client.failures import Unusable
from taijitu.ucan.signer import SEED_SIZE, InvalidKey, Signer

KEY_SIZE_MAX: Final = 4096
"""Bytes of a key file that are read."""


def new_key() -> Signer:
    """A key that nobody has. Keep what its `format()` gives, or lose what it owns."""
    return Signer.from_seed(os.urandom(SEED_SIZE))


def key_of(key: Signer | str | Path) -> Signer:
    """A key: itself, its text (`Mg…`), or the file that holds the text. Raises `Unusable`."""
    if isinstance(key, Signer):
        return key
    text = key
    if isinstance(key, Path):
        try:
            with key.open("rb") as file:
                text = file.read(KEY_SIZE_MAX).decode("ascii", "replace").strip()
        except OSError as why:
            raise Unusable(f"{key} cannot be read: {why.strerror}") from None
    try:
        return Signer.parse(str(text))
    except InvalidKey as why:
        held = f"{key} holds no usable key" if isinstance(key, Path) else "that is no usable key"
        raise Unusable(f"{held}: {why}") from None
