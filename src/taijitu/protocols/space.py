"""`space/info`: who provides for a space."""

from typing import Any

from taijitu.protocols.capabilities import SPACE_INFO
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.spaces import Spaces
from taijitu.protocols.subscribed import subscription


class SpaceInfo:
    """`provider` is the DID of the service: it provides for what no account has provided for."""

    def __init__(self, spaces: Spaces, provider: str) -> None:
        self.spaces = spaces
        self.provider = provider

    def providers(self) -> tuple[Provider[Any], ...]:
        return (Provider(SPACE_INFO, self.info),)

    async def info(self, invocation: Invocation[Any]) -> Outcome:
        space = invocation.resource
        if not space.startswith("did:key:"):
            return Error("SpaceUnknown", "can only get info for did:key spaces")
        if not await self.spaces.serves(space):
            return Error("SpaceUnknown", "Space not found.")
        found = await subscription(self.spaces.engine, space)
        return Ok({"did": space, "providers": [found.provider if found else self.provider]})
