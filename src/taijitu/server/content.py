"""What the gateway answers with: blocks, CARs, data, files and directories, with their headers.

Law: what is under `/ipfs/` never changes, so answers may be kept, each form under a tag of its own.
What strangers have stored is shown, and never acts for us: a page of theirs has no origin here.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from taijitu.gateway import listing, people, types, values
from taijitu.gateway.asked import Asked
from taijitu.gateway.blocks import Blocks
from taijitu.gateway.car import archive
from taijitu.gateway.lead import aside, result, slowly
from taijitu.gateway.listing import Shelf
from taijitu.gateway.people import Open
from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.server.dispositions import disposition, location, modified
from taijitu.server.http import Answer, HttpAnswer, Request, Stream, sentence
from taijitu.server.limits import SENT_AT_ONCE
from taijitu.server.ranges import Part, holds, known, part_of, range_holds
from taijitu.unixfs import path as paths
from taijitu.unixfs.node import Directory, Shard, Symlink
from taijitu.unixfs.path import Resolved

FOREVER: Final = "public, max-age=29030400, immutable"
"""What the specification has for everything that is immutable."""

A_DAY: Final = "public, max-age=86400"
"""For pages that we make: they change with us."""

ROOTS_MAX: Final = 64
"""Links that are named in a header."""

CAR_TYPE: Final = "application/vnd.ipld.car; version=1; order=dfs; dups={}"
RAW_TYPE: Final = "application/vnd.ipld.raw"

SANDBOX: Final = (
    "sandbox allow-scripts allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox "
    "allow-downloads"
)
"""The policy of what strangers have stored: their pages may run, in an origin that is nobody's."""

Hold = Callable[[AsyncGenerator[bytes, None]], AsyncGenerator[bytes, None]]
"""Makes chunks hold their place among all requests until they end, and come after a sign that they
can be read: the first of them, one time more."""


class Look(Record):
    """A request, what it asks, and where its path leads."""

    request: Request
    asked: Asked
    found: Resolved
    hold: Hold

    @property
    def link(self) -> Link:
        return self.found.link

    @property
    def is_head(self) -> bool:
        return self.request.method == "HEAD"

    def headers(self, tag: str, kind: str, cache: str = FOREVER) -> dict[str, str]:
        """What is said with every answer that has content. `tag` without quotes."""
        asked = self.asked
        headers = {
            "content-type": kind,
            "etag": f'"{tag}"',
            "cache-control": cache,
            "vary": "accept",
            "x-content-type-options": "nosniff",
            "x-ipfs-path": quote(self.request.raw_path, safe="/%:@!$&'()*+,;=~-._"),
        }
        if len(self.found.trail) <= ROOTS_MAX:
            headers["x-ipfs-roots"] = ",".join(map(str, self.found.trail))
        if asked.by_header:
            headers["content-location"] = location(self.request, asked)
        return headers

    def unchanged(self, headers: dict[str, str]) -> HttpAnswer | None:
        """The answer to who has it already, or has another thing and wants this one no more."""
        given = self.request.headers
        if not holds(given.get("if-match"), headers["etag"]):
            return sentence(412, "What is here is not what was asked for.")
        if known(given.get("if-none-match"), headers["etag"]):
            return HttpAnswer(304, headers)
        return None


class Content:
    """Everything raises `Unavailable`, `UnixFSError`, and `NoSuchForm`."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks

    async def answer(self, request: Request, asked: Asked, hold: Hold) -> Answer:
        """The answer to a request. `hold` is given the chunks of one that is long."""
        await self.blocks.insist(asked.root)
        found = await result(paths.resolve(asked.root, asked.segments), self.blocks)
        await self.blocks.insist(found.link)
        look = Look(request, asked, found, hold)
        match asked.form:
            case "raw":
                return await self.block(look)
            case "car":
                return await self.car(look)
            case "page":
                return await self.page(look)
            case language:
                return await self.value(look, language)

    async def block(self, look: Look) -> Answer:
        """The bytes of one block, or a part of them."""
        if look.found.rest:
            return sentence(400, f"The path ends within {look.link}: as raw, only all of it is.")
        name = look.asked.file_name or f"{look.link}.bin"
        headers = look.headers(f"{look.link}.raw", RAW_TYPE)
        headers |= {"content-disposition": disposition("attachment", name)}
        if (answer := look.unchanged(headers)) is not None:
            return answer
        if look.is_head:
            size = await self.blocks.size(look.link)
            return HttpAnswer(
                200, headers | {"accept-ranges": "bytes", "content-length": str(size)}
            )
        return await partly(look, headers, await self.blocks.get(look.link))

    async def car(self, look: Look) -> Answer:
        """A CAR, as long as it may be."""
        asked, wish = look.asked, look.asked.wish
        about = repr((asked.root, asked.segments, wish.scope.value, wish.span, wish.dups))
        tag = f"{look.link}.car.{sha256(about.encode('utf-8', 'replace')).hexdigest()[:16]}"
        headers = look.headers(tag, CAR_TYPE.format("y" if wish.dups else "n"))
        name = asked.file_name or f"{look.link}.car"
        headers |= {
            "accept-ranges": "none",
            "content-disposition": disposition("attachment", name),
        }
        if (answer := look.unchanged(headers)) is not None:
            return answer
        await self.blocks.size(look.link)
        if look.is_head:
            return Stream(200, headers, None, nothing())
        chunks = look.hold(archive(asked, look.link, self.blocks))
        await anext(chunks)
        return Stream(200, headers, None, chunks)

    async def value(self, look: Look, language: values.Language) -> Answer:
        """Data in a language."""
        headers = look.headers(tag_within(look, language), values.TYPES[language])
        if (name := look.asked.file_name) or look.asked.download:
            kind = "attachment" if look.asked.download else "inline"
            headers["content-disposition"] = disposition(kind, name)
        if (answer := look.unchanged(headers)) is not None:
            return answer
        block = await self.blocks.get(look.link)
        write = partial(values.written, look.link, block, look.found.rest, language)
        body = await aside(len(block), write)
        return await partly(look, headers | policy(headers), body)

    async def page(self, look: Look) -> Answer:
        """What a link leads to, as what it is."""
        language = values.LANGUAGES.get(look.link.codec)
        if language is not None:
            return await self.value_page(look, language)
        found = await people.opened(look.link, self.blocks)
        match found:
            case Open():
                return await self.file(look, found, name_of(look.asked))
            case Directory() | Shard():
                return await self.directory(look, found)
            case Symlink(target):
                headers = look.headers(str(look.link), "inode/symlink")
                return look.unchanged(headers) or await partly(
                    look, headers | policy(headers), target
                )

    async def value_page(self, look: Look, language: values.Language) -> Answer:
        """Data, shown to a person who looks; as it is to everybody else."""
        shows = look.asked.html and look.link.codec in paths.DECODERS
        if not shows or await self.blocks.size(look.link) > values.PAGE_SIZE_MAX:
            return await self.value(look, language)
        tag = tag_within(look, f"page-{listing.VERSION}")
        headers = look.headers(tag, types.HTML, A_DAY)
        headers["content-security-policy"] = listing.POLICY
        if (answer := look.unchanged(headers)) is not None:
            return answer
        block, asked = await self.blocks.get(look.link), look.asked
        show = partial(values.page, asked.spelled, asked.segments, look.link, block)
        return await whole(look, 200, headers, await slowly(partial(show, look.found.rest)))

    async def directory(self, look: Look, found: Directory | Shard) -> Answer:
        """The file that stands for a directory, or a page of its entries."""
        if not look.asked.is_folder:
            return moved(look.request, f"{look.request.raw_path}/")
        index = await people.index_of(look.link, found, self.blocks)
        if index is not None:
            with people.naming_the_index():
                return await self.file(look, index, people.INDEX)
        asked, after = look.asked, look.asked.after
        begins = sha256((after or "").encode("utf-8", "surrogateescape")).hexdigest()[:16]
        headers = look.headers(f"{look.link}.list-{listing.VERSION}.{begins}", types.HTML, A_DAY)
        headers["content-security-policy"] = listing.POLICY
        if (answer := look.unchanged(headers)) is not None:
            return answer
        if look.is_head:
            return Stream(200, headers, None, nothing())
        entries, more = await people.listed(found, after, listing.ENTRIES_MAX, self.blocks)
        shelf = Shelf(asked.spelled, asked.segments, look.link, entries, after, more)
        return await whole(look, 200, headers, await slowly(partial(listing.page, shelf)))

    async def file(self, look: Look, file: Open, name: str | None) -> Answer:
        """A file, or a part of it."""
        kind = types.by_name(name) if name else None
        headers = look.headers(str(file.link), kind or "") | modified(file.mtime)
        headers["accept-ranges"] = "bytes"
        if kind is None:  # until the file was looked at: that takes bytes
            del headers["content-type"]
        if look.asked.download or look.asked.file_name:
            how = "attachment" if look.asked.download else "inline"
            headers["content-disposition"] = disposition(how, look.asked.file_name or name)
        if (answer := look.unchanged(headers)) is not None:
            return answer
        if look.is_head:
            if kind is None:
                headers["content-type"] = await self.type_of(file, b"")
            headers["content-length"] = str(file.size)
            return HttpAnswer(200, headers | policy(headers))
        part = wanted(look, headers, file.size)
        if isinstance(part, HttpAnswer):
            return part
        start, length = part or Part(0, file.size)
        chunks = look.hold(people.read(file, self.blocks, start, start + length))
        seen = await anext(chunks)
        if kind is None:
            try:
                headers["content-type"] = await self.type_of(file, seen if start == 0 else b"")
            except BaseException:
                await chunks.aclose()
                raise
        headers |= policy(headers)
        if part is None:
            return Stream(200, headers, length, chunks)
        span = {"content-range": f"bytes {start}-{start + length - 1}/{file.size}"}
        return Stream(206, headers | span, length, chunks)

    async def type_of(self, file: Open, seen: bytes) -> str:
        """What a file is that begins with these bytes. If they are too few, more are read."""
        stop = min(types.SNIFFED, file.size)
        if len(seen) < stop:
            async with aclosing(people.read(file, self.blocks, 0, stop)) as chunks:
                seen = b"".join([chunk async for chunk in chunks])
        return types.by_bytes(seen)


async def partly(look: Look, headers: dict[str, str], body: bytes) -> Answer:
    """Some bytes at hand, or the part of them that is wanted."""
    headers = headers | {"accept-ranges": "bytes"}
    part = wanted(look, headers, len(body))
    if isinstance(part, HttpAnswer):
        return part
    if part is None:
        return await whole(look, 200, headers, body)
    start, end = part.start, part.start + part.length
    span = {"content-range": f"bytes {start}-{end - 1}/{len(body)}"}
    return await whole(look, 206, headers | span, body[start:end])


async def whole(look: Look, status: int, headers: dict[str, str], body: bytes) -> Answer:
    """Bytes at hand. Those of which not all are sent at once hold their place until they are."""
    if look.is_head:
        return HttpAnswer(status, headers | {"content-length": str(len(body))})
    if len(body) <= SENT_AT_ONCE:
        return HttpAnswer(status, headers, body)
    chunks = look.hold(only(body))
    await anext(chunks)
    return Stream(status, headers, len(body), chunks)


def wanted(look: Look, headers: dict[str, str], size: int) -> Part | HttpAnswer | None:
    """The part of `size` bytes that is wanted, all (`None`), or the answer that there is none."""
    given = look.request.headers
    if look.is_head or not range_holds(given.get("if-range"), headers["etag"]):
        return None
    part = part_of(given.get("range"), size)
    if part == "unsatisfiable":
        text = f"It has {size} bytes, and the range is none of them."
        return sentence(416, text, {"content-range": f"bytes */{size}"})
    return part


def policy(headers: dict[str, str]) -> dict[str, str]:
    """What keeps a page from acting for us. Browsers show no PDF with it, and need not: there a
    reader of their own stands in between."""
    if headers.get("content-type") == "application/pdf":
        return {}
    return {"content-security-policy": SANDBOX}


def moved(request: Request, path: str) -> HttpAnswer:
    """The same, at another path. To those who do not ask for a page it is here."""
    query = f"?{request.query}" if request.query else ""
    headers = {"location": path + query, "cache-control": FOREVER, "vary": "accept"}
    return sentence(301, f"It is at {path}.", headers)


def name_of(asked: Asked) -> str | None:
    """What a file is called, if it is."""
    return asked.file_name or (asked.segments[-1] if asked.segments else None)


def tag_within(look: Look, form: str) -> str:
    """A tag for a value, which may be within its block."""
    rest = "/".join(look.found.rest).encode("utf-8", "surrogateescape")
    return f"{look.link}.{form}" + (f".{sha256(rest).hexdigest()[:16]}" if rest else "")


async def only(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


async def nothing() -> AsyncGenerator[bytes, None]:
    """The body of an answer that has none."""
    for chunk in ():
        yield chunk
