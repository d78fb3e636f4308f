"""`taijitu proof`: what a delegation says."""

from typing import TYPE_CHECKING

from taijitu.cli import words
from taijitu.cli.asking import proofs_in
from taijitu.cli.whoami import as_json, told

if TYPE_CHECKING:
    from taijitu.client.proofs import Proof


def proof(*proofs: str, json: bool = False) -> None:
    """Show what delegations say: who lets whom do what, until when. Asks nobody.

    What is shown is what they say, and not whether a service believes it.

    Parameters
    ----------
    proofs
        Files, folders with files, or the text of a delegation.
    json
        Print JSON, a line for each: {"cid", "issuer", "audience", "can", "with", "expires"};
        "expires" in seconds or null.
    """
    from taijitu.cli.trouble import Misuse

    if not proofs:
        raise Misuse("which? Name the file of a delegation, or give its text")
    known = [each for name in proofs for each in proofs_in(name)]
    if json:
        for each in known:
            words.print_json({"cid": str(each.delegation.link), **as_json(each)})
    else:
        print("\n\n".join(described(each) for each in known))


def described(each: "Proof") -> str:
    held = each.delegation
    return words.columns(
        [
            ("proof", str(held.link)),
            ("from", held.issuer),
            ("to", held.audience),
            ("says", told(each, held.audience)),
        ]
    )
