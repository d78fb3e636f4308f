"""`taijitu revoke`: take delegations back."""

from typing import TYPE_CHECKING

from taijitu.cli import words
from taijitu.cli.asking import Who, Whom, proofs_in, run

if TYPE_CHECKING:
    from taijitu.client import Client


def revoke(
    *proofs: str,
    who: Who | None = None,
    whom: Whom | None = None,
    json: bool = False,
) -> None:
    """Take back delegations: from now on the service takes nothing for proven by them.

    Whoever issued one, or stands above it in what proves it, can take it back, and so can whoever
    it was made for. Ask with that key. It is for good.

    Parameters
    ----------
    proofs
        The delegations: files, or their text.
    json
        Print JSON, a line for each: {"revoked"}, its CID.
    """
    from taijitu.cli.trouble import Misuse

    if not proofs:
        raise Misuse("which? Name the file of a delegation, or give its text")
    known = [proof for each in proofs for proof in proofs_in(each)]

    async def ask(client: "Client") -> None:
        for proof in known:
            await client.revoke(proof)
            link = str(proof.delegation.link)
            words.print_json({"revoked": link}) if json else print(f"revoked {link}")

    run(ask, whom or Whom(), who or Who())
