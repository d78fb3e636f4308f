"""`taijitu login`: act for an account."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from taijitu.cli import words
from taijitu.cli.asking import Who, Whom, run
from taijitu.cli.delegate import YEAR, read_span, write
from taijitu.cli.trouble import Refusal

if TYPE_CHECKING:
    from taijitu.client import Client, Proof

FOLDER = Path("proofs")
QUARTER_OF_AN_HOUR = 900


def login(
    email: str,
    /,
    *,
    can: list[str] | None = None,
    out: Annotated[Path, Parameter(name=["--out", "-o"])] = FOLDER,
    within: Annotated[
        int, Parameter(converter=read_span, n_tokens=1, show_default=False)
    ] = QUARTER_OF_AN_HOUR,
    who: Who | None = None,
    whom: Whom | None = None,
    json: bool = False,
) -> None:
    """Act for the account with an e-mail address, once somebody has said yes.

    The service writes a letter to that address, with a link that confirms it. What comes of it is
    written to a folder, for --proof or TAIJITU_PROOF: with it, the agent can use the spaces of the
    account.

    Parameters
    ----------
    email
        The address.
    can
        What: an ability as store/add, all of a kind as 'store/*'. May be repeated. Default: '*'.
    out
        The folder for the proofs. It is made if it is not there.
    within
        How long to wait: 90s, 15m, 1h. Default: a quarter of an hour.
    json
        Print JSON: {"agent", "account", "proofs", "spaces"}; "proofs" are files.
    """
    from taijitu.client.accounts import account_of

    whom, who = whom or Whom(), who or Who()

    async def ask(client: "Client") -> "tuple[str, tuple[Proof, ...], list[str]]":
        if not json:
            print(f"waiting until {email} confirms {client.agent.did}", file=sys.stderr)
        proofs = await client.login(email, can or ["*"], within=within or YEAR)
        return client.agent.did, proofs, client.spaces()

    agent, proofs, spaces = run(ask, whom, who)
    files = keep(proofs, out)
    if json:
        account = account_of(email)
        told = {"agent": agent, "account": account, "proofs": files, "spaces": spaces}
        words.print_json(told)
        return
    print(f"{agent} acts for {email}; use it with --proof {out} or TAIJITU_PROOF", file=sys.stderr)
    if not spaces:
        more = f"taijitu space create --account {email} --proof {out} --out space.key"
        print(f"It has no space yet: `{more}` makes one", file=sys.stderr)
    print("\n".join(files))


def keep(proofs: "tuple[Proof, ...]", folder: Path) -> list[str]:
    """The files that they were written to. Raises `Refusal`."""
    from taijitu.client.proofs import encode

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as why:
        raise Refusal(f"{folder} cannot be made: {why.strerror}") from None
    files: list[str] = []
    for proof in proofs:
        path = folder / f"{proof.delegation.link}.car"
        write(path, encode(proof))
        files.append(str(path))
    return files
