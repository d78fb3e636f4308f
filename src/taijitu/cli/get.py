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
from taijitu.cli.asking import FileOrDash, Whom, run
from taijitu.cli.bar import bars
from taijitu.cli.trouble import Refusal

if TYPE_CHECKING:
    from taijitu.client import Client

STDOUT: Final = Path("-")

NAME_LENGTH_MAX: Final = 64
"""Characters of a file's name that the name of its unfinished copy begins with."""

PLAIN: Final = 0o666
"""The mode of a file that is like any other, before the mask."""


def get(
    link: str,
    /,
    *,
    out: Annotated[FileOrDash | None, Parameter(name=["--out", "-o"])] = None,
    whom: Whom | None = None,
    json: bool = False,
) -> None:
    """Fetch the bytes that a link names, and write them to a file once they are verified.

    Takes no key: stored bytes are public to whoever knows their link, unless the service is set
    up otherwise. Where the connection breaks off, it goes on from there.

    Parameters
    ----------
    link
        The link of a CAR.
    out
        The file; a folder, to write LINK.car into; or - for standard output, where the bytes
        arrive before they are verified: look at the exit code. Default: LINK.car, here.
    json
        Print JSON: {"link", "size", "file"}.
    """
    path = place(link, out)

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

    size = run(fetch, whom or Whom())
    if json and path != STDOUT:
        words.print_json({"link": link, "size": size, "file": str(path)})
    elif path != STDOUT:
        print(f"verified: {words.size(size)}", file=sys.stderr)
        print(path)


def place(link: str, out: Path | None) -> Path:
    """Where the bytes go."""
    if out is None:
        return Path(f"{link}.car")
    return out / f"{link}.car" if out.is_dir() else out


@contextmanager
def written(path: Path) -> Generator[IO[bytes], None, None]:
    """A file that is there whole, once the block is over, or not at all. Raises `Refusal`."""
    if path == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        if path.exists() and not path.is_file():  # a pipe, a device: nothing to take the place of
            with path.open("wb") as file:
                yield file
            return
        prefix = f".{path.name[:NAME_LENGTH_MAX]}."
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
