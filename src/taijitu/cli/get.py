"""`taijitu get`: fetch what a link names, and see that it is that."""

import os
import sys
from collections.abc import Generator
from contextlib import aclosing, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from taijitu.cli import words
from taijitu.cli.asking import FileOrDash, Who, Whom, has_key, run, usable
from taijitu.cli.bar import bars
from taijitu.cli.trouble import Misuse, Refusal

if TYPE_CHECKING:
    from taijitu.client import Client
    from taijitu.client.unpacking import Got

STDOUT: Final = Path("-")

NAME_SIZE_MAX: Final = 64
"""Bytes of a file's name that the name of its unfinished copy begins with."""

PLAIN: Final = 0o666
"""The mode of a file that is like any other, before the mask."""


def get(
    path: str,
    /,
    *,
    out: Annotated[FileOrDash | None, Parameter(name=["--out", "-o"])] = None,
    max_size: str | None = None,
    who: Who | None = None,
    whom: Whom | None = None,
    json: bool = False,
) -> None:
    """Fetch a file or a folder by its CID, every block verified as it arrives.

    Of CID/path, what the path leads to. The link of a CAR fetches that as it is.

    Takes no key: what is stored is public to whoever knows its CID, unless the service is set up
    otherwise. Where the connection breaks off, it goes on from there. With a key, it also works
    where the service has no gateway, for uploads of the space.

    Parameters
    ----------
    path
        CID, or CID/path.
    out
        Where to; a folder that is there, to write into it; or - for standard output. Default: the
        last name of the path, or the CID, here. A folder is never written over. Of a CAR, - gets
        the bytes before they are verified: look at the exit code.
    max_size
        How many bytes it may be, such as 500MB or 10GiB: what a stranger packed may say that it is
        far more than it took to send. Counts for files and folders that are written, not for -.
    json
        Print JSON: {"cid", "kind", "size", "files", "file"}; for a CAR: {"link", "size", "file"}.
    """
    from taijitu.client.contents import where
    from taijitu.ipld.cid import CAR

    who, whom = who or Who(), whom or Whom()
    asking = who if has_key(who) else None
    asked = usable(lambda: where(path))
    target = place(asked.segments[-1] if asked.segments else str(asked.root), out)
    if asked.root.codec == CAR and not asked.segments:
        get_car(str(asked.root), out, whom, json)
    elif target == STDOUT or is_device(target):
        run(lambda client: pour(client, path, target), whom, asking)
    else:
        save(path, target, size_of(max_size), (asking, whom), json)


def size_of(text: str | None) -> int | None:
    """Bytes, as they were typed. Raises `Misuse`."""
    if text is None:
        return None
    from taijitu.server.settings import measure

    size = measure(text)
    if size is None:
        raise Misuse(f"{text!r} is not a size such as 500MB or 10GiB")
    return size


def save(
    path: str,
    target: Path,
    size_max: int | None,
    asking: tuple[Who | None, Whom],
    json: bool,
) -> None:
    """Write a file or a folder."""

    async def fetch(client: "Client") -> "Got":
        with bars(quiet=json) as shown:
            told = shown.add("fetching", None)
            return await client.get(path, target, size_max=size_max, progress=told)

    got = run(fetch, asking[1], asking[0])
    if json:
        told = {"cid": str(got.link), "kind": got.kind, "size": got.size, "files": got.files}
        words.print_json({**told, "file": words.text(str(target))})
        return
    files = f", {words.count(got.files, 'file', 'files')}" if got.kind == "folder" else ""
    print(f"verified: {words.size(got.size)}{files}", file=sys.stderr)
    print_path(target)


def is_device(path: Path) -> bool:
    """Whether it is a pipe or a device: nothing that something else could take the place of."""
    return path.exists() and not path.is_file() and not path.is_dir()


def print_path(path: Path) -> None:
    """As the file system has it, whatever its bytes are: a script wants to open it."""
    sys.stdout.buffer.write(os.fsencode(path) + b"\n")
    sys.stdout.buffer.flush()


async def pour(client: "Client", path: str, target: Path) -> None:
    """Write the bytes of a file to a pipe or a device. Each is verified before."""
    with written(target) as file:
        async with aclosing(client.contents.read(path)) as parts:
            async for part in parts:
                file.write(part)


def get_car(link: str, out: Path | None, whom: Whom, json: bool) -> None:
    """Fetch a CAR as it is."""
    path = place(f"{link}.car", out)

    async def fetch(client: "Client") -> int:
        from taijitu.client.store import link_of

        known = link_of(link)
        size = 0
        with bars(quiet=json) as shown:
            told = shown.add("fetching", await client.size_of(known))
            with written(path) as file:
                async with aclosing(client.stream(known, progress=told)) as chunks:
                    async for chunk in chunks:
                        file.write(chunk)
                        size += len(chunk)
        return size

    size = run(fetch, whom)
    if json and path != STDOUT:
        words.print_json({"link": link, "size": size, "file": words.text(str(path))})
    elif path != STDOUT:
        print(f"verified: {words.size(size)}", file=sys.stderr)
        print_path(path)


def place(name: str, out: Path | None) -> Path:
    """Where it goes."""
    if out is None:
        return Path(name)
    return out / name if out != STDOUT and out.is_dir() else out


@contextmanager
def written(path: Path) -> Generator[IO[bytes], None, None]:
    """A file that is there whole, once the block is over, or not at all. Raises `Refusal`."""
    if path == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        if is_device(path):
            with path.open("wb") as file:
                yield file
            return
        begin = os.fsdecode(os.fsencode(path.name)[:NAME_SIZE_MAX])
        prefix = f".{begin}."
        with NamedTemporaryFile(dir=path.parent, prefix=prefix, delete=False) as file:
            aside = Path(file.name)
            try:
                yield file
                os.fchmod(file.fileno(), PLAIN & ~umask())
                file.flush()
                aside.replace(path)
            except BaseException:
                aside.unlink(missing_ok=True)
                raise
    except OSError as why:
        raise Refusal(f"{path} cannot be written: {why.strerror}") from None


def umask() -> int:
    """What new files are not allowed; there is no way to look at it but to set it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
