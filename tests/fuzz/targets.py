"""What is fuzzed: each parser with its samples, and what has to hold of whatever it is given.

A target judges one input. It raises nothing but `AssertionError`: a parser that refuses does so in
its own words, one that reads answers what is said here, and nothing forged is ever believed.
"""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from fuzz import gateway, inputs, unixfs
from support import vectors
from taijitu.actors.sections import KNOWN, NoCar, Sections
from taijitu.buckets.names import named_by, path_of
from taijitu.ipld import car, dagcbor, multibase, varint
from taijitu.ipld.cid import IDENTITY, RAW, InvalidLink, Link, link_to, link_with
from taijitu.machines.contents import Tally
from taijitu.protocols import execution
from taijitu.protocols.capabilities import ALL
from taijitu.protocols.entries import position_in
from taijitu.protocols.execution import (
    Error,
    Invocation,
    MalformedInvocation,
    Ok,
    Outcome,
    Provider,
)
from taijitu.server import ranges, settings
from taijitu.server.settings import BadSetting
from taijitu.ucan import archive, bundle, principal, receipt, signature
from taijitu.ucan.delegation import Delegation, InvalidDelegation
from taijitu.ucan.principal import InvalidDid
from taijitu.ucan.receipt import InvalidReceipt
from taijitu.ucan.signature import InvalidSignature
from taijitu.ucan.signer import InvalidKey, Signer
from taijitu.ucan.validity import Authority
from taijitu.wire import exchange, sharded_index, sigv4
from taijitu.wire.exchange import Refusal
from taijitu.wire.message import Message
from taijitu.wire.sharded_index import InvalidIndex, Shard, Slice
from unit.ucan import people

SPELLINGS_MAX: Final = 64
"""Characters of a text that a parser of single values is given."""
SIZE: Final = 1_000
"""Bytes of the object that ranges are asked of."""

Judge = Callable[[bytes, int], None]
"""Given an input, and which sample it was made of."""


@dataclass(frozen=True)
class Target:
    """One parser. Those that cost more get a smaller `share` of the inputs."""

    name: str
    samples: Sequence[bytes]
    judge: Judge
    share: float = 1.0


def dag_cbor(data: bytes, _: int) -> None:
    """One value, one encoding: what is read is written as it came."""
    try:
        value = dagcbor.decode(data)
    except dagcbor.DecodeError:
        return
    assert dagcbor.encode(value) == data


def car_file(data: bytes, _: int) -> None:
    """Every block is what its link says, and an archive that was read can be written."""
    try:
        archive = car.decode(data)
    except car.CarError:
        return
    again = car.decode(car.encode(archive.roots, archive.blocks.items()))
    assert (again.roots, again.blocks) == (archive.roots, archive.blocks)


def car_in_pieces(data: bytes, _: int) -> None:
    """The same is found however the bytes come, it is what its links say, and all that is in an
    archive that can be read is found."""
    found, flaw = looked_through(data, max(1, len(data)))
    for piece in (1, 13):
        again, other = looked_through(data, piece)
        assert (again, other is None) == (found, flaw is None)
    for each in found:
        assert made(data, each) == each.multihash
    with suppress(car.CarError):
        blocks = car.decode(data).blocks
        assert flaw is None
        names = {link.multihash for link in blocks if link.hash_code != IDENTITY}
        assert names == {each.multihash for each in found}


def made(data: bytes, each: Slice) -> bytes:
    """The multihash that the bytes of a slice have."""
    by = KNOWN[link_with(each.multihash).hash_code]
    return by.prefix + by.new(data[each.offset : each.offset + each.length]).digest()


def looked_through(data: bytes, piece: int) -> tuple[list[Slice], NoCar | None]:
    try:
        looked = Sections(len(data), Tally())
    except NoCar as why:
        return [], why
    found: list[Slice] = []
    while not looked.is_over:
        assert looked.wants < looked.end, "nothing is left to come"
        found += looked.feed(data[looked.wants : min(looked.wants + piece, looked.end)])
    return found, looked.flaw


def link_bytes(data: bytes, _: int) -> None:
    try:
        link = Link(data)
    except InvalidLink:
        return
    assert Link.parse(str(link)) == link


def link_text(data: bytes, _: int) -> None:
    text = data.decode("latin-1")
    try:
        link = Link.parse(text)
    except InvalidLink:
        return
    assert Link(link.data) == link


def content_index(data: bytes, _: int) -> None:
    try:
        index = sharded_index.decode(data)
        shards = list(index.shards())
    except InvalidIndex:
        return
    again = sharded_index.decode(sharded_index.encode(index.content, shards))
    assert again.content == index.content
    assert sorted((each.multihash, *sorted(each.slices)) for each in again.shards()) == sorted(
        (each.multihash, *sorted(each.slices)) for each in shards
    )


def ucan(data: bytes, _: int) -> None:
    try:
        read = bundle.read(link_to(data), data)
    except InvalidDelegation:
        return
    assert read.data == data
    if read.canonical:
        again = dagcbor.encode(dagcbor.decode(data))
        assert again == data


def jwt(data: bytes, _: int) -> None:
    try:
        read = bundle.read(link_to(data, RAW), data)
    except InvalidDelegation:
        return
    assert read.data == data


HEAD, PAYLOAD, SIGNATURE = inputs.jwts()[0].split(b".")


def jwt_payload(data: bytes, sample: int) -> None:
    """The JSON within."""
    jwt(b".".join((HEAD, urlsafe_b64encode(data).rstrip(b"="), SIGNATURE)), sample)


def jwt_head(data: bytes, sample: int) -> None:
    jwt(b".".join((urlsafe_b64encode(data).rstrip(b"="), PAYLOAD, SIGNATURE)), sample)


def unpadded(part: bytes) -> bytes:
    return urlsafe_b64decode(part + b"=" * (-len(part) % 4))


KEYS: Final = tuple(
    who["did"] for who in vectors.principals.values() if who["did"].startswith("did:key:")
)
SIGNED: Final = {dagcbor.encode(dagcbor.decode(data)["ocm"]) for data in inputs.receipts()}


def receipt_block(data: bytes, _: int) -> None:
    """A receipt that verifies says what was signed."""
    try:
        read = receipt.decode(link_to(data), data)
    except InvalidReceipt:
        return
    if receipt.verify(read, KEYS):
        assert dagcbor.encode(dagcbor.decode(data)["ocm"]) in SIGNED


def message_body(data: bytes, _: int) -> None:
    """A body is read, or refused with 400 and a sentence."""
    said = exchange.accept(exchange.CONTENT_TYPE, None, data)
    if isinstance(said, Refusal):
        assert said.status == 400
        assert len(said.text) > len(exchange.MALFORMED_TEXT)
    else:
        execute(said)


def accept_header(data: bytes, _: int) -> None:
    text = data.decode("latin-1")
    said = exchange.accept(exchange.CONTENT_TYPE, text, b"")
    assert isinstance(said, Refusal)
    assert said.status in (400, 406)


LOOP: Final = asyncio.new_event_loop()


class Carried:
    """What was carried out."""

    def __init__(self) -> None:
        self.out: list[Delegation] = []

    async def __call__(self, invocation: Invocation[Any]) -> Outcome:
        self.out.append(invocation.delegation)
        return Ok({})


CARRIED: Final = Carried()
SERVICE: Final = execution.Service(
    signer=people.service,
    authority=Authority(people.service.did, people.service.key_did),
    providers=execution.providers(*(Provider(ability, CARRIED) for ability in ALL.values())),
    clock=lambda: vectors.now,
)
GENUINE: Final = frozenset(data for data, _ in inputs.invocations())


def execute(said: Message) -> Sequence[Delegation]:
    """Carry out a message; what of it was. Every invocation gets a receipt, or the message 400."""
    CARRIED.out = []
    try:
        done = LOOP.run_until_complete(execution.run(SERVICE, said))
    except MalformedInvocation:
        return CARRIED.out
    assert {each.ran for each in done} == set(said.execute)
    for each in done:
        name = each.receipt.out.get("error", {}).get("name")
        assert name != "HandlerExecutionError", each.receipt.out
        exchange.answer([each.answer()])
    assert all(each.data in GENUINE for each in CARRIED.out)
    return CARRIED.out


def invocation(data: bytes, sample: int) -> None:
    """In a message in which all hashes are right: nothing is done that nobody signed."""
    company = inputs.invocations()[sample][1]
    execute(Message((link_to(data),), {}, {**company, link_to(data): data}))


GRANT: Final = inputs.grant()


def proof(data: bytes, _: int) -> None:
    """Bob says that he may, by this proof: he may if it is the one that was signed."""
    link = link_to(data)
    asked = people.delegate(
        people.bob,
        people.service.did,
        [people.store_add()],
        proofs=[link],
        expiration=people.later,
    )
    said = Message((asked.link,), {}, {link: data, asked.link: asked.data})
    CARRIED.out = []
    try:
        LOOP.run_until_complete(execution.run(SERVICE, said))
    except MalformedInvocation:
        return
    assert bool(CARRIED.out) == (data == GRANT)


def delegation_file(data: bytes, _: int) -> None:
    try:
        archived = car.decode(data)
        read = archive.extract(archived.roots, archived.blocks)
    except (car.CarError, InvalidDelegation):
        return
    assert archived.blocks[read.link] == read.data


URL, HEADERS = inputs.signed_url()
SPLIT: Final = urlsplit(URL)
REQUEST: Final = "\n".join(
    ["PUT", SPLIT.path, SPLIT.query, *(f"{name}:{value}" for name, value in HEADERS.items())]
).encode()


def presigned(data: bytes, _: int) -> None:
    """Method, path, query and headers, a line each: only the request that was signed is allowed.
    (White space around and between the words of a header is not signed.)"""
    method, path, query, *lines = (data.decode("latin-1") + "\n\n").split("\n")
    headers: Mapping[str, str] = {
        name: value for name, _, value in (line.partition(":") for line in lines if line)
    }
    verdict = sigv4.verify(
        method,
        path,
        query,
        {**headers, "host": inputs.HOST},
        signed=frozenset(("host", *HEADERS)),
        credentials=inputs.KEYS,
        region=inputs.REGION,
        now=inputs.NOON + 1,
    )
    if isinstance(verdict, sigv4.Verified):
        assert (method, path, query) == ("PUT", SPLIT.path, SPLIT.query)
        assert {name: verdict.headers[name] for name in HEADERS} == HEADERS
    else:
        assert verdict.status in (400, 403)


def byte_range(data: bytes, _: int) -> None:
    part = ranges.part_of(data.decode("latin-1"), SIZE)
    if isinstance(part, ranges.Part):
        assert 0 <= part.start < part.start + part.length <= SIZE


def entity_tags(data: bytes, _: int) -> None:
    text = data.decode("latin-1")
    for question in (ranges.holds, ranges.known, ranges.range_holds):
        assert question(text, '"x"') in (True, False)


def cursor(data: bytes, _: int) -> None:
    found = position_in(data.decode("utf-8", "replace"))
    assert isinstance(found, Error) or 0 <= (found or 0) < 2**63


def setting(data: bytes, _: int) -> None:
    """Every kind of setting takes a text, or says what it must be."""
    text = data.decode("utf-8", "replace")[:SPELLINGS_MAX]
    for read in READERS:
        with suppress(BadSetting):
            read(text)


READERS: Final[tuple[Callable[[object], object], ...]] = (
    settings.text,
    settings.size,
    settings.host,
    settings.origin,
    settings.did_web,
    settings.port,
    settings.workers,
    settings.switch,
    settings.database_url,
    settings.bucket_url,
    settings.smtp_url,
    settings.provision,
    settings.reading,
    settings.log_format,
    settings.seconds(1, 1000),
)


def object_name(data: bytes, _: int) -> None:
    text = data.decode("latin-1")
    name = named_by(text)
    if name is not None:
        assert path_of(name) == text


def did(data: bytes, _: int) -> None:
    try:
        spelled = principal.to_did(data)
    except InvalidDid:
        return
    assert principal.from_did(spelled) == data


def did_text(data: bytes, _: int) -> None:
    try:
        read = principal.from_did(data.decode("utf-8", "replace"))
    except InvalidDid:
        return
    assert principal.to_did(read)


def varsig(data: bytes, _: int) -> None:
    try:
        signature.decode(data)
    except InvalidSignature:
        return


def key(data: bytes, _: int) -> None:
    try:
        signer = Signer.parse(data.decode("latin-1"))
    except InvalidKey:
        return
    assert Signer.parse(signer.format()).did == signer.did


def variable_integer(data: bytes, _: int) -> None:
    try:
        number, end = varint.decode(data)
    except varint.VarintError:
        return
    assert varint.encode(number) == data[:end]


def multibase_text(data: bytes, _: int) -> None:
    try:
        multibase.decode(data.decode("latin-1"))
    except multibase.MultibaseError:
        return


LINKS: Final = [link.data for link in list(inputs.blocks())[:20]] + [people.car_link.data]
ACCEPTS: Final = [b"*/*", b"application/vnd.ipld.car, */*;q=0.1", b"text/html;q=0.9;x=y,a/*"]
CURSORS: Final = [b"0", b"17", b"9223372036854775806"]
TAGS: Final = [b'"x"', b'W/"x", "y"', b"*"]
RANGES: Final = [b"bytes=0-9", b"bytes=5-", b"bytes=-5", b"bytes=0-1,3-4"]
SETTINGS: Final = [
    *(b"10GiB", b"500 MB", b"1", b"127.0.0.1", b"::1", b"closed", b"json"),
    *(b"https://taijitu.example:8443", b"did:web:taijitu.example%3A80"),
    *(b"sqlite:///data/db", b"file:///blobs", b"smtp://u:p@mail.example:25"),
]
DIDS: Final = [principal.from_did(who["did"]) for who in vectors.principals.values()]

INDEX: Final = sharded_index.encode(
    people.raw_link,
    [
        Shard(people.car_link.multihash, (Slice(people.raw_link.multihash, 0, 10),)),
        Shard(people.raw_link.multihash, ()),
    ],
)

TARGETS: Final = (
    Target("DAG-CBOR", inputs.values(), dag_cbor, 2),
    Target("CAR", inputs.archives(), car_file, 2),
    Target("CAR, as it comes", inputs.archives(), car_in_pieces),
    Target("index", [INDEX], content_index, 0.5),
    Target("DAG-PB", unixfs.nodes(), unixfs.dag_pb),
    Target("DAG-JSON", unixfs.TEXTS, unixfs.dag_json, 0.5),
    Target("UnixFS message", unixfs.MESSAGES, unixfs.message, 0.5),
    Target("UnixFS DAG", unixfs.nodes(), unixfs.dag),
    Target("entity-bytes", unixfs.SPANS, unixfs.entity_bytes, 0.3),
    Target("gateway, request", gateway.REQUESTS, gateway.request),
    Target("gateway, type", gateway.BEGINNINGS, gateway.beginning, 0.3),
    Target("link", LINKS, link_bytes, 0.5),
    Target("link as text", [str(Link(each)).encode() for each in LINKS], link_text, 0.5),
    Target("UCAN", inputs.ucans(), ucan, 2),
    Target("UCAN as JWT", inputs.jwts(), jwt),
    Target("UCAN as JWT, its JSON", [unpadded(PAYLOAD)], jwt_payload),
    Target("UCAN as JWT, its head", [unpadded(HEAD)], jwt_head, 0.5),
    Target("receipt", inputs.receipts(), receipt_block),
    Target("message", [body for body, _ in inputs.messages()], message_body, 2),
    Target("invocation", [data for data, _ in inputs.invocations()], invocation, 2),
    Target("proof", [GRANT], proof),
    Target("delegation file", [vectors.car("delegation-archive.car")], delegation_file, 0.5),
    Target("presigned request", [REQUEST], presigned, 2),
    Target("accept", ACCEPTS, accept_header, 0.3),
    Target("range", RANGES, byte_range, 0.5),
    Target("entity tags", TAGS, entity_tags, 0.2),
    Target("cursor", CURSORS, cursor, 0.3),
    Target("setting", SETTINGS, setting, 0.5),
    Target("object's path", [path_of(people.car_link.multihash).encode()], object_name, 0.5),
    Target("DID", DIDS, did, 0.5),
    Target("DID as text", [principal.to_did(each).encode() for each in DIDS], did_text, 0.5),
    Target("signature", [b"\xed\xa1\x03\x40" + bytes(64)], varsig, 0.2),
    Target("private key", [people.alice.format().encode()], key, 0.2),
    Target("varint", [varint.encode(300), varint.encode(2**63 - 1)], variable_integer, 0.2),
    Target("multibase", [b"bafy", b"zQm", b"mAQID"], multibase_text, 0.2),
)
