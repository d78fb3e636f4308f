"""`upload/*`: a space notes roots and their shards, and finds them again in the order they came."""

import asyncio
from typing import Any

import pytest

from taijitu.ipld.cid import CAR, IDENTITY, RAW, Link, link_to, link_with
from taijitu.machines.upload import SHARDS_MAX, Listed, upload_at
from taijitu.protocols import entries
from taijitu.protocols.upload import LINK_BYTES_MAX, SHARD_LIST_SIZE_MAX, Uploads
from unit.protocols.serving import Serving
from unit.ucan.people import alice, ask, bob, cap, grant, raw_link, space

ROOM = 1_000


def root_of(number: int) -> Link:
    return link_to(f"content {number}".encode(), RAW)


def shard_of(number: int) -> Link:
    return link_to(f"shard {number}".encode(), CAR)


def shards_of(*numbers: int) -> list[Link]:
    return sorted(shard_of(number) for number in numbers)


def inline(size: int, codec: int) -> Link:
    """A link of `size` bytes that carries its block inside."""
    for length in range(size, 0, -1):
        digits = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
        link = link_with(bytes([IDENTITY]) + digits + bytes(length), codec)
        if len(link.data) == size:
            return link
    raise AssertionError(size)


@pytest.fixture
async def serving() -> Serving:
    serving = Serving()
    serving.begin(Uploads(serving.durable, serving.spaces))
    await serving.world.provision(space.did, ROOM)
    return serving


async def transitions(serving: Serving, root: Link = raw_link) -> int:
    return (await serving.engine.read(upload_at(space.did, root))).seq


async def pages(serving: Serving, **nb: Any) -> list[Any]:
    """Every page that holds something, forward from the newest."""
    found: list[Any] = []
    page = await serving.ok("upload/list", **nb)
    while page["results"]:
        found.append(page)
        page = await serving.ok("upload/list", **nb, cursor=page["cursor"])
    return found


def roots_in(page: Any) -> list[Link]:
    return [item["root"] for item in page["results"]]


async def test_an_upload_is_noted_and_shown_with_its_times(serving: Serving) -> None:
    shards = [shard_of(1), shard_of(2)]
    added = await serving.ok("upload/add", root=raw_link, shards=shards)
    assert added == {"root": raw_link, "shards": shards_of(1, 2)}
    assert await serving.ok("upload/get", root=raw_link) == {
        "root": raw_link,
        "shards": shards_of(1, 2),
        "insertedAt": "2023-11-14T22:13:20.000Z",
        "updatedAt": "2023-11-14T22:13:20.000Z",
    }


async def test_an_upload_may_have_no_shards_and_get_them_later(serving: Serving) -> None:
    assert await serving.ok("upload/add", root=raw_link) == {"root": raw_link, "shards": []}
    serving.world.clock.advance(1_500)
    await serving.ok("upload/add", root=raw_link, shards=[shard_of(1)])
    found = await serving.ok("upload/get", root=raw_link)
    assert found["shards"] == [shard_of(1)]
    assert found["insertedAt"] == "2023-11-14T22:13:20.000Z"
    assert found["updatedAt"] == "2023-11-14T22:13:21.500Z"


async def test_shards_are_a_set_that_grows(serving: Serving) -> None:
    await serving.ok("upload/add", root=raw_link, shards=[shard_of(1), shard_of(2), shard_of(1)])
    added = await serving.ok("upload/add", root=raw_link, shards=[shard_of(3), shard_of(2)])
    assert added["shards"] == shards_of(1, 2, 3)


async def test_who_adds_nothing_new_changes_nothing(serving: Serving) -> None:
    await serving.ok("upload/add", root=raw_link, shards=[shard_of(1), shard_of(2)])
    serving.world.clock.advance(1_000)
    again = await serving.ok("upload/add", root=raw_link, shards=[shard_of(2)])
    assert again["shards"] == shards_of(1, 2)
    assert await transitions(serving) == 1


async def test_those_who_add_at_once_all_have_their_shards_noted(serving: Serving) -> None:
    adding = [
        serving.ok("upload/add", root=raw_link, shards=[shard_of(each)]) for each in range(20)
    ]
    await asyncio.gather(*adding)
    found = await serving.ok("upload/get", root=raw_link)
    assert found["shards"] == shards_of(*range(20))


async def test_the_same_invocation_again_has_the_same_receipt_whatever_became_of_it(
    serving: Serving,
) -> None:
    asked = ask(space, cap("upload/add", root=raw_link, shards=[shard_of(1)]))
    first = await serving.send(asked)
    await serving.ok("upload/remove", root=raw_link)
    assert (await serving.send(asked)).link == first.link
    assert (await serving.error("upload/get", root=raw_link))["name"] == "UploadNotFound"


async def test_who_brought_an_upload_into_the_list_is_known(serving: Serving) -> None:
    proof = grant(space, alice, cap("upload/*"))
    asked = ask(alice, cap("upload/add", root=raw_link), [proof])
    await serving.send(asked, proof)
    await serving.ok("upload/add", root=raw_link, shards=[shard_of(1)])
    state = (await serving.engine.read(upload_at(space.did, raw_link))).state
    assert isinstance(state, Listed)
    assert state.cause == asked.link


async def test_what_is_removed_is_said_once_more_and_then_not_found(serving: Serving) -> None:
    await serving.ok("upload/add", root=raw_link, shards=[shard_of(1)])
    removed = await serving.ok("upload/remove", root=raw_link)
    assert removed == {"root": raw_link, "shards": [shard_of(1)]}
    refusal = {
        "name": "UploadNotFound",
        "message": f"{raw_link} not found in {space.did}",
        "space": space.did,
        "root": {"/": str(raw_link)},
    }
    for can in ("upload/remove", "upload/get", "upload/shard/list"):
        assert await serving.error(can, root=raw_link) == refusal


async def test_an_upload_that_comes_back_is_new(serving: Serving) -> None:
    for number in (1, 2):
        await serving.ok("upload/add", root=root_of(number), shards=[shard_of(number)])
    await serving.ok("upload/remove", root=root_of(1))
    serving.world.clock.advance(1_000)
    await serving.ok("upload/add", root=root_of(1))
    page = await serving.ok("upload/list")
    assert roots_in(page) == [root_of(1), root_of(2)]
    assert page["results"][0]["shards"] == []
    assert page["results"][0]["insertedAt"] == "2023-11-14T22:13:21.000Z"


async def test_each_space_has_its_own_uploads(serving: Serving) -> None:
    await serving.world.provision(bob.did, ROOM)
    for owner in (space, bob):
        await serving.ok("upload/add", owner, root=raw_link, shards=[shard_of(1)])
    await serving.ok("upload/remove", bob, root=raw_link)
    assert (await serving.error("upload/remove", bob, root=raw_link))["name"] == "UploadNotFound"
    assert (await serving.ok("upload/get", root=raw_link))["shards"] == [shard_of(1)]
    assert await serving.ok("upload/list", bob) == {"results": [], "size": 0}


async def test_a_space_that_nobody_provides_for_notes_nothing(serving: Serving) -> None:
    refused = await serving.error("upload/add", bob, root=raw_link)
    assert refused == {
        "name": "InsufficientStorage",
        "message": f"{bob.did} has no storage provider",
    }
    assert await serving.ok("upload/list", bob) == {"results": [], "size": 0}


async def test_a_space_that_is_blocked_notes_nothing_new_and_shows_what_it_has(
    serving: Serving,
) -> None:
    await serving.ok("upload/add", root=raw_link)
    await serving.spaces.block(space.did)
    refused = await serving.error("upload/add", root=root_of(1))
    assert refused["message"] == f"{space.did} is blocked"
    assert (await serving.ok("upload/list"))["size"] == 1
    await serving.ok("upload/remove", root=raw_link)


async def test_get_needs_a_root(serving: Serving) -> None:
    assert (await serving.error("upload/get"))["message"] == "nb.root must be set"


async def test_the_list_of_a_space_without_uploads_is_empty(serving: Serving) -> None:
    assert await serving.ok("upload/list") == {"results": [], "size": 0}


async def test_pages_hold_each_upload_once_the_newest_first(serving: Serving) -> None:
    for number in range(7):
        await serving.ok("upload/add", root=root_of(number))
    found = await pages(serving, size=3)
    assert [page["size"] for page in found] == [3, 3, 1]
    newest_first = [root_of(number) for number in reversed(range(7))]
    assert [root for page in found for root in roots_in(page)] == newest_first


async def test_the_page_before_a_page_is_the_one_that_came_before_it(serving: Serving) -> None:
    for number in range(7):
        await serving.ok("upload/add", root=root_of(number))
    first, second, third = await pages(serving, size=3)
    for page, before in ((second, first), (third, second)):
        back = await serving.ok("upload/list", cursor=page["before"], size=3, pre=True)
        assert back == before
    nothing = await serving.ok("upload/list", cursor=first["before"], size=3, pre=True)
    assert nothing == {"results": [], "size": 0}


async def test_more_shards_do_not_move_an_upload_in_the_list(serving: Serving) -> None:
    for number in range(3):
        await serving.ok("upload/add", root=root_of(number))
    first, second = await pages(serving, size=2)
    await serving.ok("upload/add", root=root_of(0), shards=[shard_of(1)])
    back = await serving.ok("upload/list", cursor=second["before"], size=2, pre=True)
    assert back == first


async def test_pages_of_large_uploads_are_shorter_and_leave_none_out(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "PAGE_BYTES_MAX", 3_000)
    monkeypatch.setattr(entries, "ROWS_AT_ONCE", 2)
    for number in range(12):
        large = shards_of(*range(100)) if number in (3, 4, 8) else []
        await serving.ok("upload/add", root=root_of(number), shards=large)
    newest_first = [root_of(number) for number in reversed(range(12))]
    forward = await pages(serving)
    assert len(forward) > 3
    assert [root for page in forward for root in roots_in(page)] == newest_first
    backward: list[Link] = []
    page = forward[-1]
    while page["results"]:
        backward = roots_in(page) + backward
        page = await serving.ok("upload/list", cursor=page["before"], pre=True)
    assert backward == newest_first


@pytest.mark.parametrize("cursor", ["", "x", "-1", "9" * 30, str(raw_link)])
async def test_what_is_no_cursor_of_the_list_is_refused(serving: Serving, cursor: str) -> None:
    refused = await serving.error("upload/list", cursor=cursor)
    assert refused["message"].endswith("is not a cursor of this list")


async def test_shards_come_in_pages_of_which_the_last_has_no_cursor(serving: Serving) -> None:
    await serving.ok("upload/add", root=raw_link, shards=shards_of(*range(5)))
    first = await serving.ok("upload/shard/list", root=raw_link, size=3)
    assert first["results"] == shards_of(*range(5))[:3]
    rest = await serving.ok("upload/shard/list", root=raw_link, size=3, cursor=first["cursor"])
    assert rest == {"size": 2, "results": shards_of(*range(5))[3:]}


async def test_all_shards_come_at_once_if_they_fit(serving: Serving) -> None:
    await serving.ok("upload/add", root=raw_link, shards=shards_of(*range(26)))
    page = await serving.ok("upload/shard/list", root=raw_link)
    assert page == {"size": 26, "results": shards_of(*range(26))}
    none = await serving.ok("upload/shard/list", root=raw_link, size=0)
    assert none == {"size": 0, "results": []}


async def test_shards_go_on_after_the_cursor_though_the_one_it_names_is_no_longer_there(
    serving: Serving,
) -> None:
    ordered = shards_of(*range(5))
    await serving.ok("upload/add", root=raw_link, shards=[ordered[0], ordered[2], ordered[4]])
    page = await serving.ok("upload/shard/list", root=raw_link, cursor=str(ordered[1]))
    assert page["results"] == [ordered[2], ordered[4]]


async def test_what_is_no_shard_is_no_cursor(serving: Serving) -> None:
    await serving.ok("upload/add", root=raw_link)
    refused = await serving.error("upload/shard/list", root=raw_link, cursor="7")
    assert refused["message"] == "7 is not a cursor of this list"


async def test_an_upload_has_a_largest_number_of_shards(serving: Serving) -> None:
    shards = shards_of(*range(SHARDS_MAX))
    for start in range(0, SHARDS_MAX, 1_250):
        part = shards[start : start + 1_250]
        added = await serving.ok("upload/add", root=raw_link, shards=part)
        assert len(added["shards"]) == start + 1_250
    before = await transitions(serving)
    refused = await serving.error("upload/add", root=raw_link, shards=[shard_of(SHARDS_MAX)])
    assert refused["message"] == f"an upload has at most {SHARDS_MAX} shards"
    again = await serving.ok("upload/add", root=raw_link, shards=[shard_of(0)])
    assert again["shards"] == shards
    assert await transitions(serving) == before
    first = await serving.ok("upload/shard/list", root=raw_link)
    assert first["size"] == SHARD_LIST_SIZE_MAX


async def test_the_largest_upload_can_be_shown_and_listed(serving: Serving) -> None:
    filler = [number.to_bytes(LINK_BYTES_MAX - 5, "big") for number in range(SHARDS_MAX)]
    shards = [link_with(bytes([IDENTITY, len(each)]) + each, CAR) for each in filler]
    assert {len(shard.data) for shard in shards} == {LINK_BYTES_MAX}
    for start in range(0, SHARDS_MAX, 1_000):
        await serving.ok("upload/add", root=raw_link, shards=shards[start : start + 1_000])
    for number in range(3):
        await serving.ok("upload/add", root=root_of(number), shards=[shard_of(number)])
    found = await serving.ok("upload/get", root=raw_link)
    assert found["shards"] == sorted(shards)
    listed = [item for page in await pages(serving) for item in page["results"]]
    assert [item["root"] for item in listed] == [root_of(2), root_of(1), root_of(0), raw_link]
    assert listed[-1] == found
    assert (await serving.ok("upload/remove", root=raw_link))["shards"] == sorted(shards)


async def test_links_are_not_too_long(serving: Serving) -> None:
    fits, shard = inline(LINK_BYTES_MAX, RAW), inline(LINK_BYTES_MAX, CAR)
    await serving.ok("upload/add", root=fits, shards=[shard])
    assert (await serving.ok("upload/get", root=fits))["shards"] == [shard]
    long_root, long_shard = inline(LINK_BYTES_MAX + 1, RAW), inline(LINK_BYTES_MAX + 1, CAR)
    for root, shards in ((long_root, [shard]), (fits, [shard, long_shard])):
        refused = await serving.error("upload/add", root=root, shards=shards)
        assert refused["message"] == "a link of 129 bytes is too long: 128 at most"


async def test_a_link_of_version_0_is_a_root_of_its_own(serving: Serving) -> None:
    old = Link.parse("QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR")
    new = link_with(old.multihash, old.codec)
    await serving.ok("upload/add", root=old)
    assert (await serving.ok("upload/get", root=old))["root"] == old
    assert (await serving.error("upload/get", root=new))["name"] == "UploadNotFound"
