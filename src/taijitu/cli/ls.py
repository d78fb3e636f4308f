"""`taijitu ls`: what a space holds, and what is in a folder."""

import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from taijitu.cli import words
from taijitu.cli.asking import Who, Whom, has_key, run
from taijitu.cli.trouble import Misuse

if TYPE_CHECKING:
    from taijitu.client import Blob, Client, Item, Link, Upload


def ls(
    path: str | None = None,
    /,
    *,
    who: Who | None = None,
    whom: Whom | None = None,
    blobs: bool = False,
    json: bool = False,
) -> None:
    """List what a space holds, the newest first; or, of CID or CID/path, what is in that folder.

    Of a space, first the uploads: the CID, in how many shards, since when; then the CARs that were
    stored as they are: the link, the size, since when. Of a folder, one entry a line: the CID, the
    size that it says it has, and the name.

    Parameters
    ----------
    path
        CID or CID/path of a folder. It takes no key. Default: the space.
    blobs
        List the blobs instead that uploads are stored as, one a line: the link, the size, since
        when, and the upload that it is a shard of. Where none is named it is the index of one, or
        what is left of a put that broke off: say that again, or `taijitu rm` the link.
    json
        Print JSON, a line for each: {"cid", "shards", "insertedAt"} for an upload, {"link", "size",
        "insertedAt", "origin"} for a CAR, {"name", "cid", "size"} for what is in a folder, {"link",
        "size", "insertedAt", "uploads"} for a blob.
    """
    if blobs and path is not None:
        raise Misuse("--blobs lists those of a space: leave the CID out")
    if blobs:
        run(lambda client: all_blobs(client, json), whom or Whom(), who or Who())
    elif path is None:
        run(lambda client: space(client, json), whom or Whom(), who or Who())
    else:
        asking = who or Who() if has_key(who or Who()) else None
        run(lambda client: folder(client, path, json), whom or Whom(), asking)


async def folder(client: "Client", path: str, json: bool) -> None:
    async for entry in client.contents.list(path):
        if json:
            words.print_json(
                {"name": words.text(entry.name), "cid": str(entry.link), "size": entry.size}
            )
        else:
            size = "" if entry.size is None else words.size(entry.size)
            print(f"{entry.link}  {size:>9}  {words.printable(words.text(entry.name))}")


async def space(client: "Client", json: bool) -> None:
    found = await allowed([lambda: uploads(client, json), lambda: cars(client, json)])
    if not found and not json:
        print(f"{client.space.did} holds nothing.", file=sys.stderr)


async def allowed(lists: "list[Callable[[], Awaitable[bool]]]") -> bool:
    """Whether any of these lists has something. One that the proof does not allow to see, or that
    the service does not have, is left out if another is there."""
    from taijitu.client import HandlerNotFound, Unauthorized

    found, refused = False, list[Exception]()
    for each in lists:
        try:
            found = await each() or found
        except (HandlerNotFound, Unauthorized) as why:
            refused.append(why)
    if len(refused) == len(lists):
        raise refused[-1]
    return found


async def uploads(client: "Client", json: bool) -> bool:
    found = False
    async for upload in client.space.uploads.list():
        found = True
        words.print_json(upload_as_json(upload)) if json else print(upload_as_line(upload))
    return found


async def cars(client: "Client", json: bool) -> bool:
    found = False
    async for page in client.space.store.pages():
        for item in page.items:
            found = True
            words.print_json(as_json(item)) if json else print(as_line(item))
    return found


async def all_blobs(client: "Client", json: bool) -> None:
    from taijitu.ipld.cid import CAR, link_with

    uploads: defaultdict[bytes, list[str]] = defaultdict(list)
    async for upload in client.space.uploads.list():
        for shard in upload.shards:
            uploads[shard.multihash].append(str(upload.root))
    found = False
    async for blob in client.space.blobs.list():
        found = True
        link, named = link_with(blob.digest, CAR), uploads.get(blob.digest, [])
        if json:
            words.print_json(blob_as_json(blob, link, named))
        else:
            print(f"{link}  {words.size(blob.size):>9}  {since(blob)}  {' '.join(named)}".rstrip())
    if not found and not json:
        print(f"{client.space.did} holds no blobs.", file=sys.stderr)


def blob_as_json(blob: "Blob", link: "Link", uploads: list[str]) -> dict[str, object]:
    return {
        "link": str(link),
        "size": blob.size,
        "insertedAt": blob.inserted_at and blob.inserted_at.isoformat(),
        "uploads": uploads,
    }


def since(listed: "Blob | Item | Upload") -> str:
    return f"{listed.inserted_at:%Y-%m-%d %H:%M}" if listed.inserted_at else ""


def upload_as_json(upload: "Upload") -> dict[str, object]:
    return {
        "cid": str(upload.root),
        "shards": [str(shard) for shard in upload.shards],
        "insertedAt": upload.inserted_at and upload.inserted_at.isoformat(),
    }


def upload_as_line(upload: "Upload") -> str:
    shards = words.count(len(upload.shards), "shard", "shards")
    return f"{upload.root}  {shards:>9}  {since(upload)}".rstrip()


def as_json(item: "Item") -> dict[str, object]:
    return {
        "link": str(item.link),
        "size": item.size,
        "insertedAt": item.inserted_at and item.inserted_at.isoformat(),
        "origin": item.origin and str(item.origin),
    }


def as_line(item: "Item") -> str:
    return f"{item.link}  {words.size(item.size):>9}  {since(item)}".rstrip()
