"""Execution: what is checked in which order, and what becomes of what handlers do."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from taijitu.ipld.cid import Link, link_to
from taijitu.kernel.failures import Fault
from taijitu.protocols.capabilities import STORE_ADD, STORE_LIST
from taijitu.protocols.execution import (
    CAUSE_LENGTH_MAX,
    RETRY_AFTER_SECONDS_MAX,
    Error,
    Invocation,
    MalformedInvocation,
    NotReady,
    Ok,
    Outcome,
    Provider,
    Recorded,
    Service,
    providers,
    run,
)
from taijitu.ucan import receipt
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import delegate
from taijitu.ucan.remembered import Remembered
from taijitu.wire.message import Message
from unit.ucan.people import (
    alice,
    ask,
    authority,
    bob,
    cap,
    car_link,
    grant,
    mallory,
    now,
    raw_link,
    service,
    space,
    store_add,
)


class Handler:
    """Answers with what it is given, or raises it, and keeps what it was asked."""

    def __init__(self, outcome: Outcome | Exception | None = None) -> None:
        self.outcome = outcome or Ok({})
        self.asked: list[Invocation[Any]] = []

    async def __call__(self, invocation: Invocation[Any]) -> Outcome:
        self.asked.append(invocation)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def serving(handler: Any, **more: Any) -> Service:
    table = providers(Provider(STORE_ADD, handler), Provider(STORE_LIST, handler))
    return Service(service, authority, table, clock=lambda: now, **more)


def saying(*invocations: Delegation, proofs: tuple[Delegation, ...] = ()) -> Message:
    blocks = {each.link: each.data for each in (*invocations, *proofs)}
    return Message(tuple(each.link for each in invocations), blocks=blocks)


async def outcome(handler: Any, invocation: Delegation, *proofs: Delegation, **more: Any) -> Any:
    (executed,) = await run(serving(handler, **more), saying(invocation, proofs=proofs))
    assert receipt.verify(executed.receipt, [service.key_did])
    assert executed.ran == invocation.link
    return executed.receipt.out


async def test_a_handler_sees_what_was_asked_and_by_whom() -> None:
    handler = Handler(Ok({"done": True}))
    proof = grant(space, alice, cap("store/*"))
    asked = ask(alice, store_add(7), [proof])
    assert await outcome(handler, asked, proof) == {"ok": {"done": True}}
    (seen,) = handler.asked
    assert (seen.link, seen.issuer, seen.resource) == (asked.link, alice.did, space.did)
    assert (seen.nb.link, seen.nb.size, seen.nb.origin) == (car_link, 7, None)
    assert [each.link for each in seen.chain] == [asked.link, proof.link]
    assert seen.blocks.keys() == {asked.link, proof.link}


async def test_an_error_is_an_outcome_like_any_other() -> None:
    handler = Handler(Error("InsufficientStorage", "no room", {"space": space.did}))
    assert await outcome(handler, ask(space)) == {
        "error": {"name": "InsufficientStorage", "message": "no room", "space": space.did}
    }


async def test_an_outcome_has_effects_whose_blocks_travel_with_it() -> None:
    task, proof = grant(service, bob, cap("*")), grant(space, alice, cap("store/*"))
    done = Ok({}, fork=(task.link, raw_link), join=car_link, blocks={task.link: task.data})
    asked = ask(alice, proofs=[proof])
    (executed,) = await run(serving(Handler(done)), saying(asked, proofs=(proof,)))
    assert executed.receipt.fork == (task.link, raw_link)
    assert executed.receipt.join == car_link
    answer = executed.answer()
    assert (answer.ran, answer.receipt) == (asked.link, executed.receipt.link)
    assert answer.blocks == {
        proof.link: proof.data,
        asked.link: asked.data,
        task.link: task.data,
        executed.receipt.link: executed.receipt.data,
    }


@pytest.mark.parametrize("count", [0, 2])
async def test_an_invocation_has_one_capability(count: int) -> None:
    asked = delegate(space, bob.did, [cap("no/such"), store_add()][:count], expiration=now - 5)
    out = await outcome(Handler(), asked)
    assert out["error"] == {
        "name": "InvocationCapabilityError",
        "error": True,
        "message": "Invocation is required to have a single capability.",
        "capabilities": [each.fields for each in asked.capabilities],
    }


async def test_then_there_must_be_a_handler_even_for_what_is_not_allowed() -> None:
    out = await outcome(Handler(), delegate(mallory, bob.did, [cap("no/such")], expiration=1))
    assert out["error"] == {
        "name": "HandlerNotFound",
        "error": True,
        "capability": {"can": "no/such", "with": space.did},
        "message": 'service does not implement {can: "no/such"} handler',
    }


@pytest.mark.parametrize("audience", [bob.did, service.key_did])
async def test_then_it_must_be_addressed_to_the_service_by_its_name(audience: str) -> None:
    out = await outcome(Handler(), delegate(mallory, audience, [store_add()], expiration=1))
    assert out["error"] == {
        "name": "InvalidAudience",
        "message": f'Expected literal "{service.did}" instead got "{audience}"',
    }


async def test_then_it_must_be_allowed() -> None:
    handler = Handler()
    out = await outcome(handler, ask(mallory))
    assert out["error"].keys() == {"name", "message"}
    assert out["error"]["name"] == "Unauthorized"
    assert "is not authorized" in out["error"]["message"]
    assert handler.asked == []


async def test_what_a_handler_raises_is_told_without_its_stack() -> None:
    raised: list[tuple[Link, Exception]] = []
    problem = RuntimeError("boom")
    asked = ask(space)
    out = await outcome(Handler(problem), asked, raised=lambda link, e: raised.append((link, e)))
    assert out["error"] == {
        "name": "HandlerExecutionError",
        "error": True,
        "capability": {"can": "store/add", "with": space.did},
        "cause": {"name": "RuntimeError", "message": "boom"},
        "message": 'service handler {can: "store/add"} error: boom',
    }
    assert raised == [(asked.link, problem)]


async def test_a_world_that_does_not_answer_is_no_outcome() -> None:
    with pytest.raises(Fault, match="the disk is full"):
        await run(serving(Handler(Fault("the disk is full"))), saying(ask(space)))


async def test_what_a_handler_raises_is_cut() -> None:
    out = await outcome(Handler(RuntimeError("x" * 10_000)), ask(space))
    assert len(out["error"]["cause"]["message"]) == CAUSE_LENGTH_MAX


async def test_an_outcome_that_has_no_encoding_is_a_failure_of_the_handler() -> None:
    raised: list[Exception] = []
    out = await outcome(
        Handler(Ok({"when": {1, 2}})), ask(space), raised=lambda _, error: raised.append(error)
    )
    assert out["error"]["name"] == "HandlerExecutionError"
    assert len(raised) == 1


@pytest.mark.parametrize("batch", [1, 3])
async def test_not_ready_is_never_a_receipt(batch: int) -> None:
    class SomeNotReady(Handler):
        async def __call__(self, invocation: Invocation[Any]) -> Outcome:
            await super().__call__(invocation)
            raise NotReady(len(self.asked))

    handler = SomeNotReady()
    asked = [ask(space, nonce=str(n)) for n in range(batch)]
    with pytest.raises(NotReady) as caught:
        await run(serving(handler), saying(*asked))
    assert caught.value.retry_after_seconds == batch, "the longest of them"
    assert len(handler.asked) == batch


@pytest.mark.parametrize(("given", "told"), [(5, 5), (-1, 0), (10**9, RETRY_AFTER_SECONDS_MAX)])
def test_asking_again_is_within_reason(given: int, told: int) -> None:
    assert NotReady(given).retry_after_seconds == told


async def test_a_recorded_receipt_is_given_again_without_checks() -> None:
    """Also when the invocation has expired since, and its proofs did not come along."""
    asked = ask(alice, proofs=[grant(space, alice, cap("*"))], expiration=now - 5)
    old = receipt.issue(service, asked.link, {"ok": {"from": "before"}}, fx_fork=[raw_link])

    async def recorded(link: Link) -> Recorded | None:
        return Recorded(old, {raw_link: b"some bytes"}) if link == asked.link else None

    handler = Handler()
    (executed,) = await run(serving(handler, recorded=recorded), saying(asked))
    assert executed.receipt is old
    assert executed.blocks == {
        asked.link: asked.data,
        raw_link: b"some bytes",
        old.link: old.data,
    }
    assert handler.asked == []
    out = await outcome(handler, ask(mallory), recorded=recorded)
    assert out["error"]["name"] == "Unauthorized"


async def test_a_handler_may_give_a_receipt_that_it_recorded() -> None:
    asked = ask(space)
    old = receipt.issue(service, asked.link, {"ok": {"from": "before"}})
    (executed,) = await run(serving(Handler(Recorded(old))), saying(asked))
    assert executed.receipt is old


async def test_the_same_invocation_twice_is_one_invocation() -> None:
    handler = Handler()
    asked, other = ask(space), ask(space, cap("store/list"))
    message = saying(asked, other)
    message = Message((asked.link, other.link, asked.link), blocks=message.blocks)
    executed = await run(serving(handler), message)
    assert [each.ran for each in executed] == [asked.link, other.link]
    assert len(handler.asked) == 2


async def test_an_empty_message_has_no_receipts() -> None:
    assert await run(serving(Handler()), Message()) == []


async def test_invocations_of_a_message_run_side_by_side_and_fail_alone() -> None:
    """Each waits for the other: in sequence, neither would ever end."""
    meeting = asyncio.Barrier(2)

    async def meets(invocation: Invocation[Any]) -> Outcome:
        await meeting.wait()
        if invocation.nb.size == 1:
            raise RuntimeError("boom")
        return Ok({})

    asked = [ask(space, store_add(size)) for size in (1, 2)]
    executed = await asyncio.wait_for(run(serving(meets), saying(*asked)), 5)
    assert [each.receipt.is_ok for each in executed] == [False, True]


@pytest.mark.parametrize("junk", [b"junk", b"\xa0"])
async def test_what_is_not_an_invocation_spoils_the_message_before_anything_runs(
    junk: bytes,
) -> None:
    handler = Handler()
    asked = ask(space)
    message = Message(
        (asked.link, link_to(junk)), blocks={asked.link: asked.data, link_to(junk): junk}
    )
    with pytest.raises(MalformedInvocation):
        await run(serving(handler), message)
    assert handler.asked == []


async def test_an_invocation_that_did_not_come_along_spoils_the_message() -> None:
    with pytest.raises(MalformedInvocation, match="is not included"):
        await run(serving(Handler()), Message((raw_link,)))


async def test_a_proof_that_is_no_ucan_is_refused_with_a_receipt() -> None:
    asked = delegate(alice, service.did, [store_add()], expiration=None, proofs=[raw_link])
    message = Message((asked.link,), blocks={asked.link: asked.data, raw_link: b"some bytes"})
    (executed,) = await run(serving(Handler()), message)
    assert "can not be read" in executed.receipt.out["error"]["message"]
    assert executed.blocks[raw_link] == b"some bytes"


async def test_proofs_that_stand_too_deep_spoil_the_message() -> None:
    chain = [grant(space, space, cap("*"))]
    for _ in range(70):
        chain.append(grant(space, space, cap("*"), proofs=[chain[-1]]))
    with pytest.raises(MalformedInvocation, match="deeper"):
        await run(serving(Handler()), saying(chain[-1], proofs=tuple(chain)))


async def test_revocations_are_asked_for_once_and_for_all_that_came_along() -> None:
    first = grant(space, alice, cap("*"))
    second = grant(alice, bob, cap("*"), proofs=[first])
    asked = ask(bob, proofs=[second])
    questions: list[tuple[Link, ...]] = []

    async def revokers(links: Collection[Link], _: Bundle) -> Mapping[Link, list[str]]:
        questions.append(tuple(links))
        return {first.link: [space.did]}

    out = await outcome(Handler(), asked, second, first, revokers=revokers)
    assert f"Proof {first.link} has been revoked" in out["error"]["message"]
    assert questions == [(first.link, second.link, asked.link)]


async def test_nothing_is_done_while_revocations_cannot_be_known() -> None:
    async def broken(_: object, __: object) -> Mapping[Link, list[str]]:
        raise ConnectionError("the store does not answer")

    handler = Handler()
    for asked in ([ask(space)], [ask(space), ask(space, store_add(2))]):
        with pytest.raises(ConnectionError):
            await run(serving(handler, revokers=broken), saying(*asked))
    assert handler.asked == []


async def test_proofs_are_remembered_between_messages() -> None:
    remembered = Remembered()
    proof = grant(space, alice, cap("*"))
    serving_on = serving(Handler(), remembered=remembered)
    for n in range(2):
        asked = ask(alice, proofs=[proof], nonce=str(n))
        (executed,) = await run(serving_on, saying(asked, proofs=(proof,)))
        assert executed.receipt.is_ok
    assert remembered.recall(proof.link) is not None
    assert len(remembered) == 1


async def test_cancelling_is_not_an_outcome() -> None:
    started = asyncio.Event()

    async def waits(_: Invocation[Any]) -> Outcome:
        started.set()
        return await asyncio.Future()

    task = asyncio.create_task(run(serving(waits), saying(ask(space))))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_an_ability_has_one_provider() -> None:
    with pytest.raises(ValueError, match="two providers"):
        providers(Provider(STORE_ADD, Handler()), Provider(STORE_ADD, Handler()))


async def test_receipts_are_deterministic() -> None:
    asked = ask(space)
    one, two = [await run(serving(Handler()), saying(asked)) for _ in range(2)]
    assert [each.receipt.data for each in one] == [each.receipt.data for each in two]
