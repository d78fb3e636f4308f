"""How hostile requests are made, and what has to be answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from support.client import Car, Client, Space
from taijitu.ipld import dagcbor
from taijitu.ipld.cid import link_to
from taijitu.ucan import delegation
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import delegate


@dataclass(frozen=True)
class Target:
    """What there is to spoil: a space with one CAR stored and one on its way."""

    space: Space
    stored: Car
    awaited: Car

    @property
    def client(self) -> Client:
        return self.space.client


async def refusal(
    client: Client, asked: Delegation, *proofs: Delegation, name: str = "Unauthorized"
) -> str:
    """Why it is refused, under that name."""
    out = (await client.send(asked, proofs=proofs)).out
    assert "error" in out, out
    assert out["error"]["name"] == name, out
    return out["error"]["message"]


def grant(
    issuer: Space, audience: Space, *capabilities: Mapping[str, Any], **more: Any
) -> Delegation:
    """A delegation, without end unless said otherwise."""
    more.setdefault("expiration", None)
    proofs = [proof.link for proof in more.pop("proofs", ())]
    return delegate(issuer.owner, audience.did, capabilities, proofs=proofs, **more)


def over(space: Space, can: str, **nb: object) -> dict[str, object]:
    """A capability over a space."""
    capability: dict[str, object] = {"can": can, "with": space.did}
    return capability | {"nb": nb} if nb else capability


def bob_of(target: Target) -> Space:
    return target.client.space("bob")


def claim(agent: Space, space: Space, can: str, *proofs: Delegation, **nb: object) -> Delegation:
    """An invocation by an agent over a space that is not his."""
    return agent.issue(over(space, can, **nb), proofs=[proof.link for proof in proofs])


def altered(signed: Delegation, **nb: object) -> Delegation:
    """The same with other caveats, under the signature it had."""
    block = dagcbor.decode(signed.data)
    block["att"][0]["nb"] |= nb
    return in_block(block)


def in_block(block: dict[str, Any]) -> Delegation:
    data = dagcbor.encode(block)
    return delegation.decode(link_to(data), data)
