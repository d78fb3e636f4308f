"""Headers that say how to keep what was sent: by which name, of which time, at which URL. Pure."""

from email.utils import formatdate
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from taijitu.gateway.asked import Asked
from taijitu.server.http import Request
from taijitu.unixfs.data import Time

SECONDS_MAX: Final = 253_402_300_799
"""The last second of the year 9999, beyond which a header cannot count."""


def disposition(kind: str, name: str | None) -> str:
    """`attachment` or `inline`, with a name in ASCII and, where that is not enough, in UTF-8."""
    if not name:
        return kind
    plain = "".join(each if " " <= each <= "~" and each not in '"\\%' else "_" for each in name)
    text = f'{kind}; filename="{plain}"'
    if plain == name:
        return text
    return f"{text}; filename*=UTF-8''{quote(name, safe='', errors='replace')}"


def modified(time: Time | None) -> dict[str, str]:
    """When a file was changed, if it says so."""
    if time is None or not 0 <= time.seconds <= SECONDS_MAX:
        return {}
    return {"last-modified": formatdate(time.seconds, usegmt=True)}


def location(request: Request, asked: Asked) -> str:
    """The URL under which the same is to be had without an `Accept`."""
    fields = [*parse_qsl(request.query, keep_blank_values=True), ("format", asked.form)]
    if asked.form == "car" and asked.wish.dups:
        fields = [(name, value) for name, value in fields if name not in ("dups", "car-dups")]
        fields.append(("car-dups", "y"))
    return f"{request.raw_path}?{urlencode(fields, errors='replace')}"
