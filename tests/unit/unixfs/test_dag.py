import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.walking import Store, answers, held_until
from taijitu.ipld import dagcbor, dagjson
from taijitu.ipld.cid import DAG_JSON, DAG_PB, IDENTITY, RAW, Link, link_to, link_with
from taijitu.unixfs import dag
from taijitu.unixfs.block import Block, Packed
from taijitu.unixfs.dag import Leaf, Scope, blocks
from taijitu.unixfs.data import Kind
from taijitu.unixfs.directory import DirectoryPacker
from taijitu.unixfs.failures import BadPath, InvalidUnixFS, NotFound, OverLimit
from taijitu.unixfs.file import FilePacker
from taijitu.unixfs.span import Span, parse
from unit.unixfs.hostile import directory, file, leaf, shard


def walked(
    store: Store,
    root: Link,
    path: str = "",
    scope: Scope = Scope.ALL,
    span: Span | None = None,
    *,
    again: bool = False,
) -> list[Link]:
    """The links of the blocks that come, in order. What was read is what was asked for."""
    store.asked.clear()
    found = answers(blocks(root, path.split("/"), scope, span, again=again), store)
    for each in found:
        assert isinstance(each, Block | Leaf)
        if isinstance(each, Block):
            assert each.data == store[each.link]
    return [each.link for each in found]


def packed(store: Store, data: bytes) -> Packed:
    """A file in chunks of 4 bytes, 3 a node."""
    packer = FilePacker(4, 3)
    store.keep_all(packer.feed(data))
    store.keep_all(packer.end())
    return packer.root


def test_everything_comes_depth_first_behind_what_is_on_the_path() -> None:
    store = Store()
    a, b, c = (leaf(store, name) for name in (b"a", b"b", b"c"))
    inner = directory(store, [("b", b), ("c", c)])
    root = directory(store, [("1", a), ("2", inner), ("3", a)])
    assert walked(store, root) == [root, a, inner, b, c]
    assert walked(store, root, again=True) == [root, a, inner, b, c, a]
    assert walked(store, root, "2") == [root, inner, b, c]
    assert walked(store, root, "2/c") == [root, inner, c]


def test_a_leaf_is_answered_by_name_and_never_read() -> None:
    store = Store()
    root = directory(store, [("a", leaf(Store(), b"elsewhere"))])
    assert walked(store, root)[1:] == [leaf(Store(), b"elsewhere")]
    assert store.asked == [root]


def test_scopes_are_a_block_an_entity_and_all() -> None:
    store = Store()
    big = packed(store, bytes(range(40))).link
    inner = directory(store, [("big", big)])
    root = directory(store, [("inner", inner)])
    assert walked(store, root, "inner", Scope.BLOCK) == [root, inner]
    assert walked(store, root, "inner", Scope.ENTITY) == [root, inner]
    assert walked(store, root, "inner/big", Scope.BLOCK) == [root, inner, big]
    whole = walked(store, root, "inner/big", Scope.ENTITY)
    assert whole == walked(store, root, "inner/big", Scope.ALL)
    assert len(whole) == 2 + 10 + 4 + 2 + 1
    assert walked(store, root)[:3] == [root, inner, big]


def test_the_entity_of_a_sharded_directory_is_its_shards() -> None:
    store, packer = Store(), DirectoryPacker(0)
    for at in range(400):
        packer.add(f"{at}", packed(store, b"content %d" % at))
    before = set(store)
    store.keep_all(packer.end())
    root = packer.root.link
    shards = set(store) - before
    came = walked(store, root, "", Scope.ENTITY)
    assert came[0] == root
    assert set(came) == shards
    assert len(came) == len(shards)
    assert set(walked(store, root)) == set(store)
    on_the_way = walked(store, root, "7", Scope.BLOCK)
    assert set(on_the_way[:-1]) <= shards


CONTENT = bytes(range(200))


@settings(deadline=None)
@given(st.integers(-210, 210), st.none() | st.integers(-210, 210), st.booleans())
def test_a_span_is_the_blocks_that_hold_its_bytes_and_no_others(
    first: int, last: int | None, again: bool
) -> None:
    store = Store()
    root = packed(store, CONTENT).link
    span = Span(first, last)
    came = walked(store, root, "", Scope.ALL, span, again=again)
    bounds = span.within(len(CONTENT))
    if bounds is None:
        assert came == [root]
        return
    start, stop = bounds
    leaves = [link for link in came if link.codec == RAW]
    assert leaves == [leaf(Store(), CONTENT[at : at + 4]) for at in range(start & ~3, stop, 4)]
    whole = walked(store, root)
    assert [link for link in whole if link in set(came)] == came


def test_a_span_of_what_is_no_file_is_the_entity() -> None:
    store = Store()
    root = directory(store, [("a", leaf(store, b"a"))])
    assert walked(store, root, "", Scope.ALL, parse("0:*")) == [root]
    assert walked(store, root, "a", Scope.ALL, parse("5:9")) == [root, leaf(store, b"a")]


def test_empty_parts_of_a_file_come_with_all_of_it() -> None:
    store = Store()
    root = file(store, [(leaf(store, b""), 0), (leaf(store, b"a"), 1)])
    assert walked(store, root, "", Scope.ENTITY) == [root, leaf(store, b""), leaf(store, b"a")]
    assert walked(store, root, "", Scope.ENTITY, parse("0:*")) == [root, leaf(store, b"a")]


def test_what_links_carry_never_comes_and_what_it_links_to_does() -> None:
    store = Store()
    probe = Link.parse("bafkqaaa")
    assert walked(store, probe) == []
    end = leaf(store, b"x")
    block = dagcbor.encode([end])
    carried = link_with(bytes((IDENTITY, len(block))) + block, 0x71)
    root = directory(store, [("a", carried), ("b", probe)])
    assert walked(store, root) == [root, end]
    assert walked(store, root, "a/0") == [root, end]


def carried(value: object) -> Link:
    """A link that carries a block of DAG-CBOR."""
    block = dagcbor.encode(value)
    return link_with(bytes((IDENTITY, len(block))) + block, 0x71)


def cbor(store: Store, value: object) -> Link:
    block = dagcbor.encode(value)
    store[link_to(block)] = block
    return link_to(block)


def test_below_a_path_that_ends_within_a_link_is_what_that_links_to() -> None:
    store = Store()
    x, y = leaf(store, b"x"), leaf(store, b"y")
    inside = carried({"k": [1, y]})
    for root, path in (
        (directory(store, [("a", inside), ("x", x)]), "a/k"),
        (cbor(store, {"c": inside, "other": x}), "c/k"),
    ):
        assert walked(store, root, path) == [root, y]
        assert walked(store, root, path, Scope.BLOCK) == [root]
    assert walked(store, inside, "k") == [y]


def test_links_within_links_are_followed_in_their_place() -> None:
    store = Store()
    a, b, c = (leaf(store, name) for name in (b"a", b"b", b"c"))
    root = cbor(store, [a, carried([carried({"b": b})]), Link.parse("bafkqaaa"), c])
    assert walked(store, root) == [root, a, b, c]


def test_links_in_dag_cbor_and_dag_json_are_followed() -> None:
    store = Store()
    a, b = leaf(store, b"a"), leaf(store, b"b")
    text = dagjson.encode({"deep": [{"x": b}, None], "n": 1})
    inner = link_to(text, DAG_JSON)
    store[inner] = text
    block = dagcbor.encode({"a": [a, {"b": inner}]})
    root = link_to(block)
    store[root] = block
    assert walked(store, root) == [root, a, inner, b]
    assert walked(store, root, "", Scope.ENTITY) == [root]
    assert walked(store, root, "a/1/b/deep/0") == [root, inner, b]
    assert walked(store, root, "a/1/b/deep/0", Scope.BLOCK) == [root, inner]
    assert walked(store, root, "a", Scope.ENTITY) == [root]


def test_of_what_is_no_unixfs_the_entity_is_the_block() -> None:
    store = Store()
    broken = file(store, [(leaf(store, b"abc"), 3)], size=7)
    assert walked(store, broken, "", Scope.ENTITY) == [broken]
    assert walked(store, broken) == [broken, leaf(store, b"abc")]


def test_what_is_not_there_ends_the_walk_behind_the_blocks_that_show_it() -> None:
    store = Store()
    root = directory(store, [("a", leaf(store, b"a"))])
    stream = blocks(root, ["b"])
    assert next(stream) == root
    assert stream.send(store[root]) == Block(root, store[root])
    with pytest.raises(NotFound):
        next(stream)
    with pytest.raises(BadPath):
        next(blocks(root, [".."]))


# What an attacker makes


def tower(store: Store, levels: int, parts: int) -> Link:
    link, size = leaf(store, b"x"), 1
    for _ in range(levels):
        link, size = file(store, [(link, size)] * parts), size * parts
    return link


@pytest.mark.parametrize("scope", [Scope.ENTITY, Scope.ALL])
def test_a_dag_with_a_myriad_of_ways_to_the_same_blocks_is_walked_once(scope: Scope) -> None:
    store = Store()
    root = tower(store, 6, 1024)
    assert len(walked(store, root, "", scope)) == 7
    assert len(store.asked) == 6


def test_so_is_any_part_of_it() -> None:
    store = Store()
    root = tower(store, 6, 1024)
    assert len(walked(store, root, "", Scope.ENTITY, Span(1, 2**60 - 2))) == 7
    assert len(store.asked) <= 18
    assert len(walked(store, root, "", Scope.ENTITY, Span(2**59 - 1, 2**59))) == 7
    assert len(store.asked) <= 12


def fillers(store: Store, count: int) -> list[Link]:
    """Nodes with `count` links that carry something, no two the same."""
    links = [carried(at) for at in range(count)]
    return [directory(store, [(f"{link}", link)]) for link in links]


def test_so_it_is_when_more_was_found_than_can_be_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is answered is counted; what is not answered has to end by itself."""
    monkeypatch.setattr(dag, "SEEN_MAX", 60)
    store = Store()
    high = tower(store, 5, 6)
    many = directory(store, [(f"{at}", link) for at, link in enumerate(fillers(store, 30))])
    wide = directory(store, [(f"{at}", carried(at)) for at in range(100)])
    root = directory(store, [("1", wide), ("2", many), ("3", high)])
    assert walked(store, root).count(high) == 1
    assert len(store.asked) <= 60


@pytest.mark.parametrize("silent", [50, 100])
def test_nor_is_it_walked_for_long_where_only_its_edge_came_before(
    monkeypatch: pytest.MonkeyPatch, silent: int
) -> None:
    """The edge of a span is not walked as a whole, and so it is not remembered as such."""
    monkeypatch.setattr(dag, "SEEN_MAX", 100)
    monkeypatch.setattr(dag, "SILENT_MAX", silent)
    store = Store()
    high, size = tower(store, 5, 6), 6**5
    others = [
        (file(store, [(leaf(store, b"%d" % at), len(f"{at}"))]), len(f"{at}")) for at in range(200)
    ]
    root = file(store, [(high, size), *others, (high, size)])
    with pytest.raises(OverLimit, match="without end"):
        walked(store, root, "", Scope.ENTITY, Span(size - 1))
    assert len(store.asked) <= 200 + 5 + 2 + silent


@pytest.mark.parametrize("kind", [Kind.FILE, Kind.HAMT_SHARD])
def test_nor_are_nodes_without_end_that_links_carry(
    monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    monkeypatch.setattr(dag, "SILENT_MAX", 5)
    store, inside = Store(), Store()
    if kind is Kind.FILE:
        [data] = [inside[file(inside, [], content=b"x")]]
        root = file(store, [(link_with(bytes((IDENTITY, len(data))) + data, DAG_PB), 1)] * 6)
    else:
        end = link_with(bytes((IDENTITY, 0)))
        [data] = [inside[shard(inside, {0: ("a", end)}, 8)]]
        below = link_with(bytes((IDENTITY, len(data))) + data, DAG_PB)
        root = shard(store, dict.fromkeys(range(6), ("", below)), 8)
    with pytest.raises(OverLimit, match="without end"):
        walked(store, root, "", Scope.ENTITY)


def test_a_walk_holds_no_content_of_the_nodes_on_its_way() -> None:
    store, size = Store(), 100_000
    link, total = leaf(store, b"x"), 1
    for level in range(31):
        link, total = file(store, [(link, total)], content=bytes((level,)) * size), total + size
    stream = blocks(link, [], Scope.ENTITY, Span(total - 1))
    assert held_until(Leaf, stream, store) < 8 * size


def test_shards_with_a_myriad_of_ways_are_walked_once() -> None:
    store = Store()
    link = shard(store, {0: ("a", leaf(store, b"a"))})
    for _ in range(6):
        link = shard(store, dict.fromkeys(range(256), ("", link)))
    assert len(walked(store, link, "", Scope.ENTITY)) == 7


def test_a_part_that_is_not_what_its_parent_says_ends_the_walk() -> None:
    store = Store()
    inner = file(store, [(leaf(store, b"ab"), 2)])
    with pytest.raises(InvalidUnixFS, match="has 3 bytes, and it has 2"):
        walked(store, file(store, [(inner, 3)]), "", Scope.ENTITY)
    with pytest.raises(InvalidUnixFS, match="empty"):
        walked(store, shard(store, {0: ("", shard(store, {}))}), "", Scope.ENTITY)


def test_what_cannot_be_read_ends_the_walk() -> None:
    store = Store()
    for codec in (0x70, 0x71, DAG_JSON):
        link = link_to(b"\xff", codec)
        store[link] = b"\xff"
        with pytest.raises(InvalidUnixFS, match=str(link)):
            walked(store, link)


def test_depth_and_pending_links_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag, "DEPTH_MAX", 10)
    monkeypatch.setattr(dag, "PENDING_MAX", 50)
    store = Store()
    chain = leaf(store, b"x")
    for _ in range(9):
        chain = directory(store, [("d", chain)])
    assert len(walked(store, chain)) == 10
    with pytest.raises(OverLimit, match="too deep"):
        walked(store, directory(store, [("d", chain)]))
    with pytest.raises(OverLimit, match="too wide"):
        walked(store, directory(store, [(f"{at}", chain) for at in range(51)]))


def test_shards_have_a_depth() -> None:
    store = Store()
    link = shard(store, {0: ("a", leaf(store, b"a"))})
    for _ in range(31):
        link = shard(store, {0: ("", link)})
    assert len(walked(store, link, "", Scope.ENTITY)) == 32
    with pytest.raises(OverLimit, match="32 shards"):
        walked(store, shard(store, {0: ("", link)}), "", Scope.ENTITY)


def test_what_is_remembered_has_a_limit_behind_which_blocks_may_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dag, "SEEN_MAX", 2)
    store = Store()
    a, b = leaf(store, b"a"), leaf(store, b"b")
    root = directory(store, [("1", a), ("2", b), ("3", a), ("4", b)])
    assert walked(store, root) == [root, a, b, b]


def test_a_file_is_not_walked_deeper_than_it_is_read() -> None:
    store = Store()
    with pytest.raises(OverLimit, match="more than 32 nodes"):
        walked(store, tower(store, 33, 1), "", Scope.ENTITY)
