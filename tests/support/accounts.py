"""People with accounts: devices that log in, and what they are told."""

import json
import os
from typing import Any

from support.client import Client, Space
from support.service import Service
from taijitu.ipld import car
from taijitu.ucan.delegation import Delegation, decode
from taijitu.ucan.principal import from_email
from taijitu.ucan.signer import Signer

EMAIL = "alice@example.com"
ACCOUNT = "did:mailto:example.com:alice"


class Device(Space):
    """An agent with a key of its own. It speaks for itself, until it has logged in."""

    def __init__(self, client: Client, name: str = "alice") -> None:
        super().__init__(client, Signer.from_seed(os.urandom(32)), name)

    def asks_to_log_in(self, email: str = EMAIL) -> Delegation:
        nb = {"iss": from_email(email), "att": [{"can": "*"}]}
        return self.ask("access/authorize", nb)

    async def ask_to_log_in(self, email: str = EMAIL) -> Delegation:
        """The request that was sent."""
        asked = self.asks_to_log_in(email)
        receipt = await self.client.send(asked)
        assert receipt.is_ok, receipt.out
        return asked

    async def claim(self) -> list[Delegation]:
        """The UCANs that are here for it."""
        ok: dict[str, Any] = (await self.client.send(self.ask("access/claim"))).out["ok"]
        archives = [car.decode(archive) for archive in ok["delegations"].values()]
        return [decode(each.roots[0], each.blocks[each.roots[0]]) for each in archives]

    async def is_logged_in(self, account: str = ACCOUNT) -> bool:
        """Whether it can claim a session of the account."""
        issuers = {each.issuer for each in await self.claim()}
        return issuers == {account, self.client.did}

    async def act(self, can: str, account: str = ACCOUNT, **nb: Any) -> dict[str, Any]:
        """What is said to it as the account, over the account itself."""
        proofs = await self.claim()
        capability = {"can": can, "with": account} | ({"nb": nb} if nb else {})
        asked = self.issue(capability, proofs=[each.link for each in proofs])
        return (await self.client.send(asked, proofs=proofs)).out


def lines(service: Service, event: str) -> list[dict[str, Any]]:
    """What the service has said about something that happened, each time."""
    said = [json.loads(line) for line in service.output.splitlines() if line.startswith("{")]
    return [each for each in said if each.get("event") == event]
