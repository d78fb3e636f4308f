"""`space/content/serve/egress/record`: a gateway says what it has served of a space.

It has to be allowed to by the space, which provides for that by delegating `space/content/serve/*`.
"""

from typing import Any, Final

from taijitu.engine.engine import Engine
from taijitu.ipld.cid import Link
from taijitu.kernel import receipt as kernel
from taijitu.kernel.machine import State
from taijitu.kernel.record import Record
from taijitu.machines.egress import Serve, egress_at
from taijitu.protocols.durable import Durable
from taijitu.protocols.entries import LINK_BYTES_MAX, TIME_MAX, iso
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.spaces import Spaces
from taijitu.ucan.capability import Ability, equal_with
from taijitu.ucan.schema import Fields, Mismatch, link, natural, space_did


class EgressRecord(Record):
    """`bytes` of `resource`, at `served_at` (`servedAt` on the wire)."""

    resource: Link
    bytes: int
    served_at: int


def positive(value: Any) -> int:
    found = natural(value)
    if found == 0:
        raise Mismatch("Expected 0 > 0")
    return found


EGRESS_RECORD: Final = Ability(
    "space/content/serve/egress/record",
    space_did,
    Fields(EgressRecord, {"resource": link, "bytes": positive, "servedAt": natural}),
    equal_with,
)


class Egress:
    """The one ability."""

    def __init__(self, durable: Durable, spaces: Spaces) -> None:
        self.durable = durable
        self.engine: Engine = durable.engine
        self.spaces = spaces

    def providers(self) -> tuple[Provider[Any], ...]:
        return (Provider(EGRESS_RECORD, self.record),)

    async def record(self, invocation: Invocation[EgressRecord]) -> Outcome:
        """Note what was served."""
        space, nb = invocation.resource, invocation.nb
        if len(nb.resource.data) > LINK_BYTES_MAX:
            return Error("Error", f"the link of a resource has at most {LINK_BYTES_MAX} bytes")
        if nb.served_at > TIME_MAX:
            return Error("Error", f"{nb.served_at} is no time that has a date")
        if not await self.spaces.serves(space):
            return Error("ConsumerNotFound", f"{space} not found", {"did": space})
        answer = Ok(
            {
                "space": space,
                "resource": nb.resource,
                "bytes": nb.bytes,
                # Clients send seconds and expect them back as if they were milliseconds.
                "servedAt": iso(nb.served_at),
                "cause": invocation.link,
            }
        )

        def noted(_: State, __: kernel.Receipt) -> Ok:
            return answer

        message = Serve(
            *(self.engine.now(), invocation.link, space),
            *(nb.resource, nb.bytes, nb.served_at, invocation.issuer),
        )
        return await self.durable.carry_out(invocation, egress_at(space), message, noted)
