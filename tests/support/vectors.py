"""The golden vectors: what the published JavaScript packages wrote and judged.

`tests/vectors/manifest.json` describes every case; the CAR files and keys lie beside it.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "vectors"


@cache
def manifest() -> dict[str, Any]:
    """All cases, by kind: `codec`, `delegations`, `messages`, `receipts`, `http` …"""
    return json.loads((FOLDER / "manifest.json").read_text("utf-8"))


@cache
def keys() -> dict[str, Any]:
    """Key material that does not stand in the manifest (`rsa`)."""
    return json.loads((FOLDER / "keys.json").read_text("utf-8"))


@cache
def car(name: str) -> bytes:
    """The bytes of one CAR file, by its file name."""
    return (FOLDER / name).read_bytes()


def cars() -> list[str]:
    """The file names of all CARs, in order."""
    return sorted(path.name for path in FOLDER.glob("*.car"))


principals: dict[str, dict[str, str]] = manifest()["principals"]
"""`alice`, `bob`, `mallory`, `service` …, each with `did`, `did_bytes`, `seed`, `private_key`."""

now: int = manifest()["now"]
"""Seconds since 1970: the time at which the manifest's verdicts hold."""
