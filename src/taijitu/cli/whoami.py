"""`taijitu whoami`: as whom the commands of a client ask, and what allows them to."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from taijitu.cli import words
from taijitu.cli.asking import Who, key_of, proofs_of

if TYPE_CHECKING:
    from taijitu.client.proofs import Proof


def whoami(*, who: Who | None = None, json: bool = False) -> None:
    """Show as whom `put`, `get`, `ls` and `rm` ask, in which space, and with which proofs.

    Asks nobody.

    Parameters
    ----------
    json
        Print JSON: {"agent", "space", "proofs": [{"issuer", "audience", "can", "with",
        "expires"}]}; "space" is null where it has to be said, "expires" in seconds or null.
    """
    from taijitu.client import Client, ClientError

    who = who or Who()
    client = Client(key=key_of(who), proofs=proofs_of(who), space=who.space)
    try:
        space, trouble = client.space.did, ""
    except ClientError as why:
        space, trouble = None, str(why)
    agent = client.agent.did
    if json:
        proofs = [as_json(proof) for proof in client.proofs]
        words.print_json({"agent": agent, "space": space, "proofs": proofs})
        return
    own = ", the agent's own" if space == agent else ""
    rows = [("agent", agent), ("space", f"{space}{own}" if space else trouble)]
    print(words.columns(rows + [("proof", told(proof, agent)) for proof in client.proofs]))


def as_json(proof: "Proof") -> dict[str, object]:
    held = proof.delegation
    return {
        "issuer": held.issuer,
        "audience": held.audience,
        "can": list(proof.abilities),
        "with": list(proof.resources),
        "expires": held.expiration,
    }


def told(proof: "Proof", agent: str) -> str:
    """A proof in one line."""
    held = proof.delegation
    until = "for ever"
    if held.expiration is not None:
        until = f"until {datetime.fromtimestamp(held.expiration, UTC):%Y-%m-%d %H:%M} UTC"
    over = " (over)" if proof.is_over(int(datetime.now(UTC).timestamp())) else ""
    other = "" if held.audience == agent else f", for somebody else: {held.audience}"
    return f"{', '.join(proof.abilities)} on {', '.join(set(proof.resources))} {until}{over}{other}"
