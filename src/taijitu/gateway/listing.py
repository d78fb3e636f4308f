"""A directory as a page for people: names, sizes, links; no script, and nothing from elsewhere.

Law: a name is shown as text and linked to as a path below, whatever it is. A page holds so many
entries; the next one begins behind the last of them.
"""

from collections.abc import Sequence
from html import escape
from itertools import islice
from typing import Final
from urllib.parse import quote

from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.unixfs.listing import Entry

ENTRIES_MAX: Final = 1_000
"""Entries on one page."""

NAME_SHOWN_MAX: Final = 200
"""Characters of a name that are shown."""

VERSION: Final = 2
"""Grows when the pages change, so that nobody keeps an old one."""

UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
STEP: Final = 1024

STYLE: Final = """\
:root { color-scheme: light dark; --line: #8883; --dim: #888;
  --back: #fff; --text: #1c1e21; --link: #0757a8 }
@media (prefers-color-scheme: dark) { :root { --back: #16181c; --text: #e4e6ea; --link: #7ab8ff } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em;
  background: var(--back); color: var(--text) }
a { color: var(--link); text-decoration: none }
a:hover { text-decoration: underline }
h1 { font-size: 1.15em; font-weight: 600; overflow-wrap: anywhere }
h1 a, code, .cid { font-family: ui-monospace, monospace; font-size: .9em }
table { width: 100%; border-collapse: collapse; border: 1px solid var(--line) }
td, th { padding: .4em .8em; text-align: left; border-top: 1px solid var(--line);
  font-weight: normal }
tr:hover td { background: #8881 }
.name { overflow-wrap: anywhere; width: 100% }
.size, .cid { white-space: nowrap; color: var(--dim); font-size: .85em }
.size { text-align: right; font-variant-numeric: tabular-nums }
.cid a { color: inherit }
footer, th { color: var(--dim); font-size: .85em; overflow-wrap: anywhere }
pre { padding: 1em; border: 1px solid var(--line); overflow-x: auto; overflow-wrap: anywhere;
  white-space: pre-wrap; font: .85em/1.5 ui-monospace, monospace }
@media (max-width: 40em) { .cid { display: none } }
"""

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The Content-Security-Policy of these pages."""


class Shelf(Record):
    """A page of a directory, with the path that led there. There is more if `more`; it does not
    begin at the beginning if `after` is a name."""

    root: str
    segments: tuple[str, ...]
    link: Link
    entries: tuple[Entry, ...]
    after: str | None = None
    more: bool = False


def page(shelf: Shelf) -> bytes:
    """The page, in HTML."""
    names = sorted(shelf.entries, key=lambda each: each.name)
    rows = "".join(map(row, names)) or '<tr><td class="name">Nothing is in it.</td></tr>\n'
    up = '<tr><td class="name" colspan="3"><a href="../">../</a></td></tr>\n'
    body = (
        f"<table>\n{up if shelf.segments else ''}{rows}</table>\n{further(shelf)}"
        f'<footer><p>Directory <code>{shelf.link}</code> · <a href="?format=car">CAR</a> · '
        '<a href="?format=raw">block</a></p></footer>\n'
    )
    return document(title_of(shelf.root, shelf.segments), crumbs(shelf), body)


def document(title: str, heading: str, body: str) -> bytes:
    """A page of ours. `title` is text; heading and body are HTML."""
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{shown(title)}</title>\n<style>\n{STYLE}</style>\n"
        f"<h1>{heading}</h1>\n{body}</html>\n"
    ).encode()


def title_of(root: str, segments: Sequence[str]) -> str:
    return "/".join(["/ipfs", root, *segments])


def crumbs(shelf: Shelf) -> str:
    """The path, each part a link. Links lead up by dots, so they work wherever the root is."""
    parts = [shelf.root, *shelf.segments]
    steps = [f'<a href="{"../" * up or "./"}">' for up in range(len(parts) - 1, -1, -1)]
    linked = [f"{step}{shown(part)}</a>" for step, part in zip(steps, parts, strict=True)]
    return " / ".join(linked)


def row(entry: Entry) -> str:
    """An entry. One that no path can lead to is named and not linked."""
    name = shown(entry.name)
    if entry.is_addressable:
        name = f'<a href="{address(entry.name)}">{name}</a>'
    return (
        f'<tr><td class="name">{name}</td><td class="cid">'
        f'<a href="/ipfs/{entry.link}" title="{entry.link}">{short(entry.link)}</a></td>'
        f'<td class="size">{"" if entry.size is None else size(entry.size)}</td></tr>\n'
    )


def further(shelf: Shelf) -> str:
    """Links to the beginning and to the next page, where there are more than one."""
    links = [] if shelf.after is None else ['<a href="./">First page</a>']
    if shelf.more:
        behind = quoted(shelf.entries[-1].name)
        links.append(f'<a href="?after={behind}" rel="next">Next {ENTRIES_MAX:,} at most</a>')
    return f"<p>{' · '.join(links)}</p>\n" if links else ""


def address(name: str) -> str:
    """A name as a relative URL, whatever it looks like."""
    return f"./{quoted(name)}"


def quoted(name: str) -> str:
    return quote(name, safe="", errors="surrogateescape")


def shown(name: str) -> str:
    """A name as HTML shows it: what does not print is marked, what is long is cut."""
    kept = "".join(
        each if each.isprintable() else "\ufffd" for each in islice(name, NAME_SHOWN_MAX)
    )
    return escape(kept + ("…" if len(name) > NAME_SHOWN_MAX else ""))


def short(link: Link) -> str:
    """A link as people compare it at a glance."""
    text = str(link)
    return f"{text[:6]}…{text[-6:]}" if len(text) > 14 else text


def size(bytes_: int) -> str:
    """`0 B`, `1.5 KiB`."""
    amount, unit = float(bytes_), 0
    while amount >= STEP and unit < len(UNITS) - 1:
        amount /= STEP
        unit += 1
    return f"{amount:.1f} {UNITS[unit]}" if unit and amount < 100 else f"{amount:.0f} {UNITS[unit]}"
