"""An invocation as a message, and the receipt that answers it.

Law: no receipt is believed that the service did not sign, or that is about another invocation.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from taijitu.client.answers import Service
from taijitu.client.failures import Untrusted
from taijitu.ipld.cid import Link
from taijitu.ucan import principal
from taijitu.ucan import receipt as receipts
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.receipt import Receipt
from taijitu.wire import message


def body_of(invocation: Delegation, proofs: Mapping[Link, bytes]) -> bytes:
    """The message that asks for one invocation. `proofs` are blocks that travel with it."""
    return message.encode([invocation.link], blocks={**proofs, invocation.link: invocation.data})


class Answered(NamedTuple):
    """A receipt that was verified, and the blocks that came with it."""

    receipt: Receipt
    blocks: Mapping[Link, bytes]


def receipt_in(body: bytes, ran: Link, service: Service) -> Receipt:
    """The receipt for an invocation in the body of an answer. Raises `Untrusted`."""
    return answer_in(body, ran, service).receipt


def answer_in(body: bytes, ran: Link, service: Service) -> Answered:
    """The same, with what came along."""
    try:
        answer = message.decode(body)
        link = answer.report.get(ran)
        if link is None or link not in answer.blocks:
            raise Untrusted("the service answers without a receipt for what it was asked")
        receipt = receipts.decode(link, answer.blocks[link])
    except (message.MalformedMessage, receipts.InvalidReceipt) as why:
        raise Untrusted(f"the service answers with something else than a receipt: {why}") from why
    if receipt.ran != ran:
        raise Untrusted("the receipt that came back is for another invocation")
    if receipt.issuer != service.did or not signed_by(receipt, service):
        raise Untrusted(f"{service.did} did not sign the receipt that came back")
    return Answered(receipt, answer.blocks)


def signed_by(receipt: Receipt, service: Service) -> bool | None:
    """Whether its issuer signed it; None for one whose key nobody knows: neither the service nor a
    key itself."""
    if receipt.issuer != service.did and not principal.is_key(receipt.issuer):
        return None
    return receipts.verify(receipt, [service.key, *service.past])


def ok_of(receipt: Receipt) -> dict[str, Any]:
    """What a receipt of success says. Raises `Untrusted` if that is not a map."""
    ok = receipt.out["ok"]
    if not isinstance(ok, dict):
        raise Untrusted("the service answers with a receipt that says nothing readable")
    return cast("dict[str, Any]", ok)
