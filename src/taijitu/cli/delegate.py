"""`taijitu delegate`: let somebody use a space."""

import re
import sys
import time
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, Token

from taijitu.cli import words
from taijitu.cli.asking import Who, key_of, proofs_of, usable
from taijitu.cli.trouble import Misuse, Refusal

SPANS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
"""Seconds in one of each."""

YEAR: Final = SPANS["y"]

NEVER: Final = 0
"""Instead of a number of seconds: no end."""


def read_span(_: object, tokens: Sequence[Token]) -> int:
    """A time from now, in seconds. Raises `ValueError`, in words."""
    text = tokens[0].value
    found = re.fullmatch(r"(\d{1,6})([smhdwy])", text)
    if text == "never":
        return NEVER
    if not found or not int(found[1]):
        raise ValueError(f"{text!r} is not a time such as 30d, 12h, 1y or never")
    return int(found[1]) * SPANS[found[2]]


def delegate(
    *,
    space_key: Path | None = None,
    to: str,
    can: list[str],
    expires: Annotated[int, Parameter(converter=read_span, n_tokens=1, show_default=False)] = YEAR,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    who: Who | None = None,
    json: bool = False,
) -> None:
    """Delegate abilities over a space to somebody: with the key of the space, or as an agent that
    passes on what it was given.

    Prints the proof as text, which `TAIJITU_PROOF` and the JavaScript clients take, or writes it
    to a file. It is not secret: only who is named in it can use it. `taijitu revoke` takes it back.

    Parameters
    ----------
    space_key
        The file with the key of the space. Without it, the agent of --key and --proof passes on
        what they allow.
    to
        The DID of whoever may use the space from now on: an agent's did:key.
    can
        What: an ability as store/add, all of a kind as 'store/*', or '*'. May be repeated.
    expires
        When it ends, from now: 30d, 12h, 1y or never; not after what it rests on. Default: a year.
    out
        Write the proof to this file, as a CAR.
    json
        Print JSON: {"cid", "space", "audience", "can", "expires", "proof"}; "proof" is the text, or
        the file.
    """
    from taijitu.client import Client
    from taijitu.client.proofs import encode

    wanted = None if expires == NEVER else int(time.time()) + expires
    if space_key is not None:
        if who is not None and (who.key or who.proof):
            raise Misuse("the key of the space needs no agent's: --space-key, or --key and --proof")
        client = Client(key=key_of(Who(key=space_key)))
    else:
        who = who or Who()
        client = Client(key=key_of(who), proofs=proofs_of(who), space=who.space)
    made = usable(lambda: client.delegate(to, can, expiration=wanted))
    end, data = made.delegation.expiration, encode(made)
    space = made.resources[0]
    if out is not None:
        write(out, data)
    if json:
        told = {"cid": str(made.delegation.link), "space": space, "audience": to, "can": can}
        proof = as_text(data) if out is None else str(out)
        words.print_json({**told, "expires": end, "proof": proof})
        return
    if out is None:
        print(as_text(data))
    until = "for ever" if end is None else f"until {datetime.fromtimestamp(end, UTC):%Y-%m-%d}"
    print(f"{to} may {', '.join(can)} in {space} {until}", file=sys.stderr)


def as_text(data: bytes) -> str:
    """A link, in base64, that carries the CAR inside: the form the w3 command line prints."""
    from taijitu.ipld import varint
    from taijitu.ipld.cid import CAR, IDENTITY

    head = b"\x01" + varint.encode(CAR) + varint.encode(IDENTITY) + varint.encode(len(data))
    return "m" + b64encode(head + data).decode().rstrip("=")


def write(path: Path, data: bytes) -> None:
    """Raises `Refusal`."""
    try:
        path.write_bytes(data)
    except OSError as why:
        raise Refusal(f"{path} cannot be written: {why.strerror}") from None
