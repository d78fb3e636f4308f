"""Goal: however much strangers leave for somebody, and whatever stands in it, he gets what is his
own and can use it.

Method: mallory, who has many spaces, and delegations with proofs that are many or stand deep."""

from collections.abc import Sequence

import pytest

from taijitu.machines.delegation import Held
from taijitu.protocols import access, held
from taijitu.protocols.held import Kept, Room, as_left, fitting, proving, ranked
from taijitu.ucan import authorize
from taijitu.ucan import session as sessions
from taijitu.ucan.bundle import PROOF_DEPTH_MAX
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import delegate
from taijitu.ucan.signer import Signer
from unit.protocols.accounting import ROOM, Account, Accounting, links, stores, to_account
from unit.ucan.people import (
    account,
    alice,
    bob,
    cap,
    car_link,
    carol,
    grant,
    mallory,
    service,
    space,
)

spaces = [Signer.from_seed(bytes([0, number]) * 16) for number in range(12)]


@pytest.fixture
async def serving() -> Accounting:
    serving = Accounting()
    await serving.world.provision(space.did, ROOM)
    return serving


async def flood(serving: Accounting, who: str, count: int, size: int = 0) -> None:
    """Mallory leaves things for somebody from spaces of hers, as many as she likes."""
    for owner in spaces:
        await serving.world.provision(owner.did, ROOM)
        many = [
            delegate(
                owner,
                who,
                [cap("*", owner.did)],
                expiration=None,
                nonce=str(number),
                facts=[{"x": "x" * size}],
            )
            for number in range(count)
        ]
        assert "ok" in await serving.delegate(owner, *many)


async def provided(serving: Accounting, who: Account, owner: Signer) -> None:
    """An account has a space provided for, which lets it in."""
    added = await serving.act(who, "provider/add", provider=service.did, consumer=owner.did)
    assert "ok" in added, added
    large = to_account(owner, facts=[{"x": "x" * 1_000}])
    assert "ok" in await serving.delegate(owner, large)


@pytest.mark.parametrize("size", [0, 9_000], ids=["many", "large"])
async def test_a_flood_hides_nothing_of_an_accounts_own_spaces(
    serving: Accounting, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(access, "PROOFS", Room(6, 12_000, 99))
    monkeypatch.setattr(held, "ROWS_MAX", 30)
    session = await serving.log_in()
    await provided(serving, session, carol)
    await flood(serving, account, 4, size)
    found = await serving.session(alice)
    assert "ok" in await stores(serving, found, carol)
    granted = next(each for each in found.proofs if each.issuer == account)
    assert len(granted.proofs) == (2 if size else 6)


async def test_a_flood_leaves_room_for_others_who_share(
    serving: Accounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A space that comes with little comes before those that come with much."""
    monkeypatch.setattr(access, "PROOFS", Room(20, 40_000, 99))
    await serving.delegate(space, to_account())
    await flood(serving, account, 4, 500)
    assert "ok" in await stores(serving, await serving.log_in())


def chain_of(about: dict[str, object], length: int) -> list[Delegation]:
    """Mallory's proofs of proofs: they end nowhere."""
    chain = [grant(mallory, mallory, about, nonce="0")]
    for number in range(1, length):
        chain.append(grant(mallory, mallory, about, proofs=chain[-1:], nonce=str(number)))
    return chain


async def mislead(
    serving: Accounting, about: str, chain: Sequence[Delegation], who: str = account
) -> Delegation:
    """Mallory leaves for somebody what she says of a space, with far too many proofs."""
    await serving.world.provision(mallory.did, ROOM)
    last = chain[-1]
    false = delegate(mallory, who, [cap("*", about)], expiration=None, proofs=[last.link])
    nb = {"one": false.link}
    asked = serving.asks(mallory, "access/delegate", mallory.did, [false], delegations=nb)
    assert (await serving.send(asked, false, *chain)).is_ok
    return false


async def test_what_strangers_say_of_a_space_stands_behind_what_it_says_itself(
    serving: Accounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever looks for proofs of it would follow their long way first, and give up."""
    monkeypatch.setattr(authorize, "UCANS_MAX", 10)
    false = await mislead(serving, space.did, chain_of(cap("*", space.did), 12))
    await serving.delegate(space, to_account(facts=[{"x": "x" * 50_000}]))
    session = await serving.log_in()
    assert "ok" in await stores(serving, session)
    (granted,) = [each for each in session.proofs if each.issuer == account]
    assert granted.proofs[1:] == (false.link,)


async def test_deep_proofs_of_strangers_do_not_make_an_account_unreadable(
    serving: Accounting,
) -> None:
    """A message with proofs that stand too deep is refused as a whole."""
    await mislead(serving, mallory.did, chain_of(cap("*", mallory.did), PROOF_DEPTH_MAX - 2))
    await serving.delegate(space, to_account())
    assert "ok" in await stores(serving, await serving.log_in())


async def test_wide_proofs_of_strangers_do_not_make_an_account_unreadable(
    serving: Accounting,
) -> None:
    many = [
        grant(mallory, mallory, cap("*", mallory.did), nonce=f"{number}") for number in range(300)
    ]
    for nonce in "abcd":
        top = grant(mallory, mallory, cap("*", mallory.did), proofs=many, nonce=nonce)
        await mislead(serving, mallory.did, [*many, top])
    await serving.delegate(space, to_account())
    session = await serving.log_in()
    assert len(session.blocks) < 300
    assert "ok" in await stores(serving, session)


async def test_an_agent_that_sends_all_it_claimed_is_not_hindered_by_what_strangers_left(
    serving: Accounting,
) -> None:
    """As the clients do: every delegation goes along that could allow what is asked."""
    about = cap("*", space.did)
    await mislead(serving, space.did, chain_of(about, PROOF_DEPTH_MAX - 2), bob.did)
    many = [grant(mallory, mallory, about, nonce=f"{number}") for number in range(300)]
    for nonce in "abcd":
        top = grant(mallory, mallory, about, proofs=many, nonce=nonce)
        await mislead(serving, space.did, [*many, top], bob.did)
    for nonce in "efghij":
        top = grant(mallory, mallory, about, proofs=many[:80], nonce=nonce)
        await mislead(serving, space.did, [*many[:80], top], bob.did)
    true = grant(space, bob, cap("store/*"))
    await serving.delegate(space, true)
    found = await serving.claim(bob)
    assert true.link in links(found)
    assert len(found) == 2, "one of the smaller ones has room"
    blocks = {link: data for each in found for link, data in each.blocks.items()}
    proofs = sorted((each.ucan for each in found), key=lambda each: each.link == true.link)
    assert "ok" in await stores(serving, Account(bob.did, bob, proofs, blocks))


async def test_claims_are_answered_within_limits(
    serving: Accounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "HELD", Room(7, 100_000, 0))
    await flood(serving, bob.did, 3)
    found = await serving.claim(bob)
    assert len(found) == 7
    assert len({each.ucan.issuer for each in found}) == 7, "each space has its turn"


def kept(owner: Signer, number: int, *, size: int = 0, about: str | None = None) -> Kept:
    """Something that a space left for the account at a time."""
    one = delegate(
        owner,
        account,
        [cap("*", about or owner.did)],
        expiration=None,
        facts=[{"x": "x" * size}],
        nonce=str(number),
    )
    packed = sessions.packed(one)
    return Kept(Held(account, owner.did, one.link, packed, None, car_link, number))


def test_the_order_is_own_spaces_then_others_then_hearsay_and_in_turns() -> None:
    hers = [kept(alice, number) for number in range(2)]
    his = [kept(bob, number, size=50) for number in range(2)]
    small = [kept(carol, number) for number in range(2)]
    hearsay = kept(mallory, 9, about=alice.did)
    ordered = ranked([hearsay, *his, *small, *hers], [alice.did])
    assert ordered == [
        *(hers[1], hers[0]),
        *(small[1], his[1], small[0], his[0]),
        hearsay,
    ]
    assert ranked(reversed(ordered), [alice.did]) == ordered


def test_what_is_too_large_leaves_its_room_to_the_next() -> None:
    found = [kept(bob, number, size=size) for number, size in enumerate((500, 0, 0))]
    large, small, other = map(as_left, found)
    room = Room(2, small.size + other.size + 10, 0)
    assert list(fitting([large, small, other], room)) == [small, other]
    assert list(fitting([small, other], Room(1, 10_000, 0))) == [small]
    proven = [proving(each) for each in found[:2]]
    assert list(fitting(proven, Room(2, 10_000, 1))) == proven[:1]
