import pytest

from support.walking import Store, found_at, run
from taijitu.ipld import dagcbor, dagjson
from taijitu.ipld.cid import DAG_CBOR, DAG_JSON, DAG_PB, Link, link_to
from taijitu.unixfs.failures import BadPath, InvalidUnixFS, NotFound, NotUnixFS, OverLimit
from taijitu.unixfs.path import SEGMENTS_MAX, VALUE_SIZE_MAX, normal, resolve
from unit.unixfs import hostile
from unit.unixfs.hostile import directory, leaf, symlink


def cbor(store: Store, value: object) -> Link:
    block = dagcbor.encode(value)
    store[link_to(block)] = block
    return link_to(block)


def json(store: Store, value: object) -> Link:
    block = dagjson.encode(value)
    store[link_to(block, DAG_JSON)] = block
    return link_to(block, DAG_JSON)


def test_a_path_leads_through_directories_without_asking_for_what_it_leads_to() -> None:
    store = Store()
    end = leaf(Store(), b"not here")
    inner = directory(store, [("b", end)])
    root = directory(store, [("a", inner)])
    resolved = run(resolve(root, ["a", "b"]), store)
    assert resolved == (end, (), (root, inner, end))
    assert store.asked == [root, inner]


def test_no_path_leads_to_the_root() -> None:
    root = leaf(Store(), b"not here")
    for path in ("", "/", "./.", "a/.."):
        assert found_at(root, path, Store()) == root


def test_names_are_normal_before_anything_is_looked_for() -> None:
    assert normal(["", "a", ".", "b", "..", "c", ""]) == ["a", "c"]
    for path in (["..", "a"], ["a", "..", ".."]):
        with pytest.raises(BadPath, match="leads out"):
            normal(path)
    with pytest.raises(BadPath, match="more than 1000"):
        normal(["a"] * (SEGMENTS_MAX + 1))


def test_as_many_names_as_a_path_may_have_are_followed() -> None:
    store = Store()
    root = end = leaf(store, b"x")
    for _ in range(SEGMENTS_MAX):
        root = directory(store, [("d", root)])
    assert found_at(root, "/".join(["d"] * SEGMENTS_MAX), store) == end


@pytest.mark.parametrize("kind", [cbor, json])
def test_a_path_leads_through_maps_and_lists_into_the_next_block(kind: type) -> None:
    store = Store()
    end = leaf(store, b"x")
    inner = directory(store, [("file", end)])
    root = kind(store, {"a": [0, {"b": inner}], "n": 1})
    assert found_at(root, "a/1/b/file", store) == end
    assert run(resolve(root, ["a", "1", "b"]), store).trail == (root, inner)
    assert run(resolve(root, ["a", "0"]), store) == (root, ("a", "0"), (root,))
    for path in ("b", "a/2", "a/01", "a/-1", "a/x", "n/x", "a/" + "1" * 20, "a/²"):
        with pytest.raises(NotFound):
            found_at(root, path, store)


def test_what_is_not_there_is_told_with_the_block_in_which_it_is_not() -> None:
    store = Store()
    file = leaf(store, b"x")
    root = directory(store, [("file", file)])
    with pytest.raises(NotFound, match="there is no 'other' in") as missed:
        found_at(root, "other", store)
    assert (missed.value.at, missed.value.segment) == (root, "other")
    with pytest.raises(NotFound, match="is a file") as missed:
        found_at(root, "file/more", store)
    assert (missed.value.at, missed.value.segment) == (file, "more")


def test_a_block_that_nobody_can_look_into_is_told_as_such() -> None:
    store = Store()
    for codec in (0x78, 0x0202):
        link = link_to(b"x", codec)
        store[link] = b"x"
        with pytest.raises(NotUnixFS):
            found_at(link, "a", store)
    for link in (link_to(b"\xff", DAG_CBOR), link_to(b"\xff", DAG_JSON), link_to(b"\xff", DAG_PB)):
        store[link] = b"\xff"
        with pytest.raises(InvalidUnixFS, match=str(link)):
            found_at(link, "a", store)


def test_a_value_may_be_so_large_and_no_larger() -> None:
    store = Store()
    root = cbor(store, {"a": bytes(VALUE_SIZE_MAX)})
    with pytest.raises(OverLimit, match="larger than"):
        found_at(root, "a", store)


def test_a_symlink_is_found_and_not_followed() -> None:
    store = Store()
    link = symlink(store, "sub")
    sub = directory(store, [("end", leaf(store, b"x"))])
    root = directory(store, [("sub", sub), ("link", link)])
    assert found_at(root, "link", store) == link
    for path in ("link/end", "link/../sub/../link/end"):
        with pytest.raises(NotFound, match="not followed"):
            found_at(root, path, store)
    with pytest.raises(NotFound, match="not followed"):
        found_at(link, "end", store)


def test_a_name_that_is_empty_is_in_no_directory() -> None:
    store = Store()
    root = hostile.shard(store, {0: ("", leaf(store, b"x"))})
    assert found_at(root, "", store) == root
