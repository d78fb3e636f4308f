"""Goal: of the tasks that follow from `space/blob/add`, those are waited for whose receipts can be
verified.

Method: a service with a storage node, which it names by a key or by another DID, and a twin of the
node's task that it runs itself.
"""

import pytest

from taijitu.client.answers import Service
from taijitu.client.asking import Answered
from taijitu.client.failures import Untrusted
from taijitu.client.keys import new_key
from taijitu.client.promised import promised, receipt_for
from taijitu.ipld.cid import link_to
from taijitu.ucan import receipt as receipts
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import delegate
from taijitu.ucan.signer import Signer
from taijitu.wire import message

SERVICE = new_key().under("did:web:up.example")
KNOWN = Service(SERVICE.did, SERVICE.key_did)
NODE = new_key()
WEB_NODE = NODE.under("did:web:node.example")
SPACE = new_key()


def task(can: str, runner: Signer) -> Delegation:
    return delegate(SERVICE, runner.did, [{"can": can, "with": runner.did}], expiration=None)


def answered(*tasks: Delegation) -> Answered:
    links = [each.link for each in tasks]
    receipt = receipts.issue(SERVICE, link_to(b"space/blob/add"), {"ok": {}}, fx_fork=links)
    return Answered(receipt, {each.link: each.data for each in tasks})


def tasks_of(node: Signer, *more: Delegation) -> tuple[Delegation, ...]:
    abilities = ("blob/allocate", "http/put", "blob/accept")
    return (*(task(can, node) for can in abilities), *more)


def told(ran: Delegation, issuer: Signer) -> bytes:
    receipt = receipts.issue(issuer, ran.link, {"ok": {"site": link_to(b"claim")}})
    return message.encode(report={ran.link: receipt.link}, blocks={receipt.link: receipt.data})


def test_a_node_that_is_a_key_is_heard_itself() -> None:
    twin = task("web3.storage/blob/accept", SERVICE)
    accept = promised(answered(twin, *tasks_of(NODE)), KNOWN).accept
    assert accept.audience == NODE.did
    assert receipt_for(accept, told(accept, NODE), KNOWN).receipt.issuer == NODE.did
    with pytest.raises(Untrusted):
        receipt_for(accept, told(accept, SPACE), KNOWN)


def test_for_a_node_whose_key_nobody_knows_the_service_speaks() -> None:
    twin = task("web3.storage/blob/accept", SERVICE)
    accept = promised(answered(*tasks_of(WEB_NODE, twin)), KNOWN).accept
    assert accept.link == twin.link
    assert receipt_for(accept, told(accept, SERVICE), KNOWN).receipt.issuer == SERVICE.did


def test_such_a_node_is_not_believed_where_the_service_is_silent() -> None:
    accept = promised(answered(*tasks_of(WEB_NODE)), KNOWN).accept
    assert accept.audience == WEB_NODE.did
    with pytest.raises(Untrusted, match="signed by nobody who was to run it"):
        receipt_for(accept, told(accept, WEB_NODE), KNOWN)


def test_a_promise_without_one_of_the_tasks_is_none() -> None:
    with pytest.raises(Untrusted, match="promises no http/put"):
        promised(answered(task("blob/allocate", NODE), task("blob/accept", NODE)), KNOWN)
