"""What came in is kept with what came along, as far as there is room."""

from taijitu.ipld.cid import Link
from taijitu.server.http import HttpAnswer
from taijitu.server.overheard import Overheard
from taijitu.ucan.delegation import Delegation
from taijitu.wire import message
from taijitu.wire.exchange import CONTENT_TYPE
from taijitu.wire.message import Message
from unit.ucan.people import alice, ask, bob, cap, grant, service, space

PROOF = grant(space, alice, cap("console/*"))


def log(value: object) -> Delegation:
    return ask(alice, cap("console/log", value=value), [PROOF])


def heard(listener: Overheard, *invocations: Delegation) -> list[Link]:
    blocks = {each.link: each.data for each in (PROOF, *invocations)}
    listener.hear(Message(tuple(each.link for each in invocations), blocks=blocks))
    return [each.link for each in invocations]


def test_an_invocation_is_kept_with_its_proofs_and_nothing_else() -> None:
    listener = Overheard()
    one, two = log("one"), log("two")
    heard(listener, one, two)
    assert listener.blocks(one.link) == {PROOF.link: PROOF.data, one.link: one.data}
    assert listener.blocks(PROOF.link) is None


def test_what_came_first_is_forgotten_first() -> None:
    size = len(log(bytes(500)).data) + len(PROOF.data)
    listener = Overheard(size_max=3 * size + 10)
    links = [heard(listener, log(bytes([each]) + bytes(499)))[0] for each in range(5)]
    assert [listener.blocks(link) is not None for link in links] == [False, False, True, True, True]
    assert listener.size == 3 * size


def test_what_came_twice_is_kept_once_and_as_long_as_the_second() -> None:
    one, two, three = (log(bytes([each]) + bytes(499)) for each in range(3))
    listener = Overheard(size_max=2 * (len(one.data) + len(PROOF.data)))
    heard(listener, one, two, one, three)
    assert [listener.blocks(each.link) is not None for each in (one, two, three)] == [
        True,
        False,
        True,
    ]


def test_what_is_no_invocation_is_not_kept() -> None:
    listener = Overheard()
    listener.hear(Message((log("lost").link,), blocks={}))
    assert (listener.kept, listener.size) == ({}, 0)


async def test_who_listens_hands_on_everything_as_it_came() -> None:
    passed: list[object] = []

    async def rpc(*given: object) -> HttpAnswer:
        passed.append(given)
        return HttpAnswer(200, {}, b"answer")

    listener = Overheard()
    said = ask(bob, cap("console/log", bob.did, value=service.did))
    body = message.encode(execute=[said.link], blocks={said.link: said.data})
    for given in ((CONTENT_TYPE, None, body), (CONTENT_TYPE, "*/*", b"no car"), (None, None, b"")):
        assert (await listener.listening(rpc)(*given)).body == b"answer"
        assert passed.pop() == given
    assert [*listener.kept] == [said.link]
