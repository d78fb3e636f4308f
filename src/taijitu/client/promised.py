"""What a service promises when it is asked for room: tasks, and receipts of those that are over.

Law: a task or a receipt is believed because the receipt that the service has signed names it by its
hash. One that comes by itself has to be signed by who was to run the task.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from taijitu.client.answers import Service
from taijitu.client.asking import Answered, signed_by
from taijitu.client.failures import Untrusted
from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.ucan import delegation as delegations
from taijitu.ucan import principal
from taijitu.ucan import receipt as receipts
from taijitu.ucan.delegation import Delegation, InvalidDelegation
from taijitu.ucan.receipt import InvalidReceipt, Receipt
from taijitu.wire import message

ALLOCATE: Final = ("blob/allocate", "web3.storage/blob/allocate")
PUT: Final = ("http/put",)
ACCEPT: Final = ("blob/accept", "web3.storage/blob/accept")
"""The names of each task, that which counts more first."""
CONCLUDE: Final = "ucan/conclude"
TASKS_MAX: Final = 64
"""Tasks that follow from one answer, as many as are looked at."""


class Promised(Record, eq=False):
    """The three tasks behind `space/blob/add`, and how those went that are over."""

    allocate: Delegation
    put: Delegation
    accept: Delegation
    receipts: Mapping[Link, Receipt]
    """By task."""
    blocks: Mapping[Link, bytes]

    def receipt_of(self, task: Delegation) -> Receipt | None:
        return self.receipts.get(task.link)


def promised(answer: Answered, service: Service) -> Promised:
    """What follows from the receipt of `space/blob/add`. Raises `Untrusted`."""
    tasks = [task_in(link, answer.blocks) for link in answer.receipt.fork[:TASKS_MAX]]
    found = [receipt_told(task, answer.blocks, service) for task in tasks if is_report(task)]
    return Promised(
        first(tasks, ALLOCATE),
        first(tasks, PUT),
        first(tasks, ACCEPT, lambda task: is_judged(task, service)),
        {each.ran: each for each in found},
        answer.blocks,
    )


def task_in(link: Link, blocks: Mapping[Link, bytes]) -> Delegation:
    try:
        return delegations.decode(link, blocks[link])
    except (KeyError, InvalidDelegation):
        raise Untrusted(f"the service promises a task, {link}, that did not come along") from None


def first(
    tasks: list[Delegation],
    names: tuple[str, ...],
    favoured: Callable[[Delegation], bool] = lambda _: True,
) -> Delegation:
    """The task of that name, if possible a favoured one. Raises `Untrusted`."""
    found = [task for task in tasks if can_of(task) in names]
    if not found:
        raise Untrusted(f"the service promises no {names[-1]}")
    return min(found, key=lambda task: (not favoured(task), names.index(can_of(task))))


def is_judged(task: Delegation, service: Service) -> bool:
    """Whether a receipt of who is to run it can be verified: who else has no key in the name. Where
    a service has nodes of such names, it tells of the same thing by a task of its own."""
    return task.audience == service.did or principal.is_key(task.audience)


def can_of(task: Delegation) -> str:
    return task.capabilities[0].can if task.capabilities else ""


def is_report(task: Delegation) -> bool:
    return can_of(task) == CONCLUDE


def receipt_told(task: Delegation, blocks: Mapping[Link, bytes], service: Service) -> Receipt:
    """The receipt that a `ucan/conclude` tells of. Raises `Untrusted`."""
    nb: Any = task.capabilities[0].nb
    link = nb.get("receipt") if isinstance(nb, dict) else None  # type: ignore[misc]
    if not isinstance(link, Link):
        raise Untrusted("the service tells of a receipt and does not say of which")
    receipt = receipt_in(link, blocks)
    # Who else runs tasks of a service is unknown here; it is the service that vouches for that one.
    if signed_by(receipt, service) is False:
        raise Untrusted(f"the receipt {link} is not signed by who is said to have issued it")
    return receipt


def receipt_in(link: Link, blocks: Mapping[Link, bytes]) -> Receipt:
    try:
        return receipts.decode(link, blocks[link])
    except (KeyError, InvalidReceipt):
        raise Untrusted(f"the service tells of a receipt, {link}, that is none") from None


def receipt_for(task: Delegation, body: bytes, service: Service) -> Answered:
    """The receipt for a task in what `/receipt/{task}` answers. Raises `Untrusted`."""
    try:
        answer = message.decode(body)
    except message.MalformedMessage as why:
        raise Untrusted(f"what should be a receipt is something else: {why}") from why
    link = answer.report.get(task.link)
    receipt = None if link is None else receipt_in(link, answer.blocks)
    for said in answer.execute if receipt is None else ():
        told = task_in(said, answer.blocks)
        found = receipt_told(told, answer.blocks, service) if is_report(told) else None
        receipt = found if found is not None and found.ran == task.link else receipt
    if receipt is None or receipt.ran != task.link:
        raise Untrusted(f"what should be the receipt of {task.link} is that of something else")
    runner = task.audience
    known = receipt.issuer == service.did or (principal.is_key(runner) and receipt.issuer == runner)
    if not known or not signed_by(receipt, service):
        raise Untrusted(f"the receipt of {task.link} is signed by nobody who was to run it")
    return Answered(receipt, answer.blocks)


def location_in(receipt: Receipt, blocks: Mapping[Link, bytes]) -> str | None:
    """The URL in the location claim that a receipt of `accept` names, if it does."""
    ok: Any = receipt.out.get("ok")
    link: Any = ok.get("site") if isinstance(ok, dict) else None  # type: ignore[misc]
    if not isinstance(link, Link) or link not in blocks:
        return None
    try:
        claim = delegations.decode(link, blocks[link])
    except InvalidDelegation:
        return None
    nb: Any = claim.capabilities[0].nb if claim.capabilities else None
    match nb:
        case {"location": [str() as url, *_more]}:
            return url
        case _:
            return None
