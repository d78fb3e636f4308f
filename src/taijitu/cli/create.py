"""`taijitu space create`: a new space, and the agent's way into it."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from taijitu.cli import key, words
from taijitu.cli.asking import Who, Whom, run
from taijitu.cli.delegate import write
from taijitu.cli.trouble import Misuse, Refusal

if TYPE_CHECKING:
    from taijitu.client import Client
    from taijitu.client.accounts import NewSpace

PROOF = ".car"


def create(
    *,
    account: str | None = None,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    who: Who | None = None,
    whom: Whom | None = None,
    json: bool = False,
) -> None:
    """Make a new space, as an agent, which may do everything in it.

    Writes two files: the key of the space, which is to be kept, and best offline: whoever has it
    owns the space; and beside it, ending in `.car`, the proof with which the agent asks.

    Where a space needs an account to have room, name one that the agent has logged in to. It gives
    the room, and every agent that logs in to it from now on can use the space as well.

    Parameters
    ----------
    account
        The e-mail address of an account. Needs the proofs that `taijitu login` has written.
    out
        The file for the key of the space. No file is ever written over.
    json
        Print JSON: {"space", "account", "key", "proof"}; the last two are files.
    """
    from taijitu.client.proofs import encode

    proof = out.with_suffix(PROOF)
    if proof == out:
        raise Misuse(f"{out} is for the key of the space: it cannot end in {PROOF}, as proofs do")
    insist_on_free(out, proof)

    async def make(client: "Client") -> "NewSpace":
        return await client.create_space(account)

    made = run(make, whom or Whom(), who or Who())
    key.write(out, made.key)
    write(proof, encode(made.proof))
    if json:
        told = {"space": made.did, "account": account, "key": str(out), "proof": str(proof)}
        words.print_json(told)
        return
    print(f"{out} is its key, to be kept; use it with --proof {proof}", file=sys.stderr)
    print(made.did)


def insist_on_free(*paths: Path) -> None:
    """Raises `Refusal` for files that are there, or could not be."""
    for path in paths:
        if os.path.lexists(path):
            raise Refusal(f"{path} exists already: choose another file, or move that one away")
        if not path.parent.is_dir():
            raise Refusal(f"{path} cannot be written: {path.parent} is not a folder")
