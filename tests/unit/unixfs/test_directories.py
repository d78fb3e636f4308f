import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.walking import Store, found_at, listed
from taijitu.ipld.cid import Link
from taijitu.unixfs import block as blocks
from taijitu.unixfs.block import Packed
from taijitu.unixfs.directory import NAME_SIZE_MAX, DirectoryPacker, name_bytes
from taijitu.unixfs.failures import BadName, BadPath, InvalidUnixFS, NotFound, OverLimit
from taijitu.unixfs.node import Directory, Shard, read
from taijitu.unixfs.way import SHARD_DEPTH_MAX, Way
from unit.unixfs import hostile


def entry(name: str) -> Packed:
    return Packed(blocks.raw(name.encode("utf-8", "replace")).link, len(name))


def packed(store: Store, names: Sequence[str], shard_above: int = 1000) -> Link:
    packer = DirectoryPacker(shard_above)
    for name in names:
        packer.add(name, entry(name))
    store.keep_all(packer.end())
    return packer.root.link


names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20)
directories = st.lists(names.filter(lambda name: name not in (".", "..")), unique=True, max_size=40)


@settings(deadline=None)
@given(directories, st.sampled_from([0, 1000]), st.randoms())
def test_what_was_packed_is_listed_and_found_in_whatever_order_it_was_added(
    names: list[str], shard_above: int, chance: random.Random
) -> None:
    store = Store()
    root = packed(store, names, shard_above)
    assert sorted(each.name for each in listed(root, store)) == sorted(names)
    for name in names:
        assert found_at(root, name, store) == entry(name).link
    assert packed(Store(), chance.sample(names, len(names)), shard_above) == root


NAMES = [f"file-{at}.txt" for at in range(3000)]


def test_a_directory_of_1000_is_one_block_and_one_of_1001_is_shards() -> None:
    store = Store()
    root = packed(store, NAMES[:1000])
    assert isinstance(read(root, store[root]), Directory)
    assert len(store) == 1
    root = packed(store, NAMES[:1001])
    assert isinstance(read(root, store[root]), Shard)
    assert len(store) > 200


def test_a_directory_tells_the_bytes_of_all_that_is_in_it() -> None:
    for count in (10, 1001):
        packer, size = DirectoryPacker(), 0
        for name in NAMES[:count]:
            packer.add(name, entry(name))
            size += len(name)
        size += sum(len(block.data) for block in packer.end())
        assert packer.root.dag_size == size
        assert packer.root.size == 0


def test_a_name_is_found_in_as_many_blocks_as_there_are_shards_above_it() -> None:
    store = Store()
    root = packed(store, NAMES)
    store.asked.clear()
    found_at(root, NAMES[77], store)
    assert 2 <= len(store.asked) <= 4
    with pytest.raises(NotFound, match="there is no 'nothing' in"):
        found_at(root, "nothing", store)


@pytest.mark.parametrize("shard_above", [0, 5000])
def test_a_listing_goes_on_behind_any_entry(shard_above: int) -> None:
    store = Store()
    root = packed(store, NAMES, shard_above)
    everything = listed(root, store)
    for at in (0, 1, 255, 1000, 2998, 2999):
        store.asked.clear()
        assert listed(root, store, everything[at].name) == everything[at + 1 :]
    assert len(store.asked) <= 3


def test_a_page_asks_for_no_more_shards_than_it_lists() -> None:
    store = Store()
    root = packed(store, NAMES)
    everything = listed(root, store)
    store.asked.clear()
    assert listed(root, store, everything[2900].name) == everything[2901:]
    assert len(store.asked) < 20


def test_a_listing_of_one_block_is_by_name_and_of_two_with_one_name_the_first_counts() -> None:
    store = Store()
    one, other = hostile.leaf(store, b"1"), hostile.leaf(store, b"2")
    root = hostile.directory(store, [("b", one), ("a", one), ("b", other)])
    assert [(each.name, each.link) for each in listed(root, store)] == [("a", one), ("b", one)]
    assert found_at(root, "b", store) == one


def test_names_that_are_not_utf_8_are_listed_and_found() -> None:
    store = Store()
    leaf = hostile.leaf(store, b"1")
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    root = hostile.directory(store, [(name, leaf)])
    assert [each.name for each in listed(root, store)] == [name]
    assert found_at(root, name, store) == leaf


def test_entries_that_no_path_leads_to_say_so() -> None:
    store = Store()
    leaf = hostile.leaf(store, b"1")
    root = hostile.directory(store, [(name, leaf) for name in ("", ".", "..", "a/b", "a\0", "ok")])
    assert [each.name for each in listed(root, store) if each.is_addressable] == ["ok"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0b", "x" * (NAME_SIZE_MAX + 1)])
def test_a_name_that_would_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(BadName, match="may be called"):
        DirectoryPacker().add(name, entry("x"))


def test_half_a_surrogate_pair_becomes_what_javascript_makes_of_it() -> None:
    assert name_bytes("a\ud800b") == "a\ufffdb".encode()
    assert name_bytes("\ud83d\ude00") == "\U0001f600".encode()
    packer = DirectoryPacker()
    packer.add("\ud800", entry("x"))
    with pytest.raises(BadName, match="already"):
        packer.add("\udc00", entry("x"))


@pytest.mark.parametrize("shard_above", [0, 1000])
def test_what_was_packed_with_half_a_pair_is_found_with_it(shard_above: int) -> None:
    store = Store()
    root = packed(store, ["a\ud800", "b"], shard_above)
    assert found_at(root, "a\ud800", store) == entry("a\ud800").link
    names = [each.name for each in listed(root, store)]
    after = [each.name for each in listed(root, store, "a\ud800")]
    assert after == names[names.index("a\ufffd") + 1 :]


def test_a_packer_answers_its_root_when_its_blocks_were_taken() -> None:
    packer = DirectoryPacker()
    ending = packer.end()
    with pytest.raises(RuntimeError, match="not ended"):
        assert packer.root
    [block] = ending
    assert packer.root.link == block.link


def test_names_that_were_made_to_collide_are_not_packed() -> None:
    packer = DirectoryPacker(0)
    for name in hostile.COLLIDING:
        packer.add(name, entry(name))
    with pytest.raises(OverLimit, match="32 shards"):
        list(packer.end())


# What an attacker makes


def slot(name: str, depth: int = 0) -> int:
    return Way(name.encode(), 256).slot(depth)


def test_a_name_that_stands_in_the_wrong_slot_ends_the_listing_and_is_not_found() -> None:
    store = Store()
    leaf = hostile.leaf(store, b"1")
    root = hostile.shard(store, {(slot("a") + 1) % 256: ("a", leaf)})
    with pytest.raises(InvalidUnixFS, match="does not belong"):
        listed(root, store)
    with pytest.raises(NotFound):
        found_at(root, "a", store)


def test_a_shard_that_stands_in_two_slots_ends_the_listing() -> None:
    store = Store()
    below = hostile.shard(store, {slot("a", 1): ("a", hostile.leaf(store, b"1"))})
    root = hostile.shard(store, {slot("a"): ("", below), (slot("a") ^ 1): ("", below)})
    with pytest.raises(InvalidUnixFS, match="does not belong"):
        listed(root, store)


def test_a_shard_below_may_not_be_empty_so_no_listing_is_long_without_names() -> None:
    store = Store()
    link = hostile.shard(store, {})
    for _ in range(8):
        link = hostile.shard(store, dict.fromkeys(range(256), ("", link)))
    with pytest.raises(InvalidUnixFS, match="empty"):
        listed(link, store)
    assert len(store.asked) < 20


def test_an_empty_shard_is_an_empty_directory() -> None:
    store = Store()
    root = hostile.shard(store, {})
    assert listed(root, store) == []
    with pytest.raises(NotFound):
        found_at(root, "a", store)


def test_shards_below_each_other_have_a_limit() -> None:
    store = Store()
    name = "a"
    link = hostile.leaf(store, b"1")
    inner = hostile.shard(store, {slot(name, SHARD_DEPTH_MAX - 1): (name, link)})
    for depth in reversed(range(SHARD_DEPTH_MAX - 1)):
        inner = hostile.shard(store, {slot(name, depth): ("", inner)})
    assert [each.name for each in listed(inner, store)] == [name]
    assert found_at(inner, name, store) == link
    absurd = hostile.shard(store, {slot(name): ("", inner)})
    with pytest.raises(OverLimit, match="32 shards"):
        listed(absurd, store)
    chain = inner
    for depth in range(SHARD_DEPTH_MAX):
        chain = hostile.shard(store, {slot(name, SHARD_DEPTH_MAX - 1 - depth): ("", chain)})
    with pytest.raises(OverLimit, match="32 shards"):
        found_at(chain, name, store)


@pytest.mark.parametrize("what", ["file", "directory", "other fan-out"])
def test_only_a_shard_of_the_same_kind_stands_for_a_shard(what: str) -> None:
    store = Store()
    leaf = hostile.leaf(store, b"1")
    below = {
        "file": leaf,
        "directory": hostile.directory(store, [("a", leaf)]),
        "other fan-out": hostile.shard(store, {0: ("a", leaf)}, 16),
    }[what]
    root = hostile.shard(store, {slot("a"): ("", below)})
    with pytest.raises(InvalidUnixFS, match="and is none"):
        listed(root, store)
    with pytest.raises(InvalidUnixFS, match="and is none"):
        found_at(root, "a", store)


@pytest.mark.parametrize("kind", ["one block", "shards"])
def test_a_name_is_as_long_as_may_be_packed_and_a_longer_one_ends_the_listing(kind: str) -> None:
    """Hashing a name of 2 MiB takes half a second, and a thousand of them are gigabytes."""
    for size, is_read in ((NAME_SIZE_MAX, True), (NAME_SIZE_MAX + 1, False), (200_000, False)):
        store, name = Store(), "x" * size
        leaf = hostile.leaf(store, b"1")
        if kind == "shards":
            root = hostile.shard(store, {slot(name): (name, leaf)})
        else:
            root = hostile.directory(store, [(name, leaf)])
        if is_read:
            assert [each.name for each in listed(root, store)] == [name]
            assert found_at(root, name, store) == leaf
            continue
        with pytest.raises(OverLimit, match=f"a name of {size} bytes"):
            listed(root, store)
        with pytest.raises(BadPath, match=f"a name of {size} bytes"):
            listed(root, store, after=name)


def test_a_name_that_is_longer_than_any_is_not_looked_for_in_shards() -> None:
    store, name = Store(), "x" * (NAME_SIZE_MAX + 1)
    root = hostile.shard(store, {slot(name): (name, hostile.leaf(store, b"1"))})
    with pytest.raises(NotFound):
        found_at(root, name, store)


def test_a_listing_of_shards_with_another_fan_out_is_read_too() -> None:
    for fanout in (8, 16, 1024):
        store = Store()
        leaf = hostile.leaf(store, b"1")
        slots = {Way(name.encode(), fanout).slot(0): (name, leaf) for name in ("a", "bb", "ccc")}
        root = hostile.shard(store, slots, fanout)
        assert sorted(each.name for each in listed(root, store)) == sorted(
            name for name, _ in slots.values()
        )
        for name, _ in slots.values():
            assert found_at(root, name, store) == leaf
