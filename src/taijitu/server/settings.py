"""How one setting is read: from text (or a TOML value) to a value, or a sentence that says why not.

A reader here knows nothing of the setting's name; `taijitu.server.config` puts the name in front.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeVar, cast
from urllib.parse import quote, urlsplit

UNITS: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
"""Bytes in one unit of size, by its lower-case name."""

SIZE_MAX: Final = 2**53 - 1
"""Bytes: beyond it a JavaScript client can no longer count exactly."""

SIZE: Final = re.compile(r"(\d{1,18})(?:\.(\d{1,6}))?\s*([A-Za-z]*)")
DID_WEB: Final = re.compile(r"did:web:[A-Za-z0-9._-]+(%3[Aa][0-9]{1,5})?(:[A-Za-z0-9._%-]+)*")
HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

WORKERS_MAX: Final = 256
SWITCH: Final = {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False}

PROVIDERS_MAX: Final = 64
"""Names by which one service provides."""

Provision = Literal["open", "closed"]
Plans = Literal["open", "assigned", "required"]
Reading = Literal["public", "closed"]
Gateway = Literal["public", "off"]
LogFormat = Literal["auto", "console", "json"]
Choice = TypeVar("Choice", bound=str)


class BadSetting(ValueError):
    """The value of a setting is not one; the message says what would be."""


def text(value: object) -> str:
    """Any text that is not empty and fits a line."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise BadSetting("must be a text of one line")
    return value


def whole(value: object, low: int, high: int, unit: str = "") -> int:
    """An integer from `low` to `high`; `unit` is only for the sentence."""
    number = int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value) else value
    if isinstance(number, int) and not isinstance(number, bool) and low <= number <= high:
        return number
    of = f" of {unit}" if unit else ""
    raise BadSetting(f"must be a whole number{of} from {low} to {high}")


def size(value: object) -> int:
    """A number of bytes: `1048576`, `10GiB`, `1.5 TB`; at least one."""
    bytes_ = measure(value) if isinstance(value, str) else value
    if isinstance(bytes_, int) and not isinstance(bytes_, bool) and 1 <= bytes_ <= SIZE_MAX:
        return bytes_
    raise BadSetting(f"must be a size such as 500MB or 10GiB, from 1 to {SIZE_MAX} bytes")


def measure(value: str) -> int | None:
    """The bytes that a text like `1.5GiB` stands for; `None` when it stands for none."""
    match = SIZE.fullmatch(value.strip())
    if match is None or match[3].lower() not in UNITS:
        return None
    unit, part = UNITS[match[3].lower()], match[2] or ""
    return (int(match[1] + part) * unit) // 10 ** len(part)


def choice(value: object, choices: Sequence[Choice]) -> Choice:
    """One of a few words."""
    for known in choices:
        if value == known:
            return known
    raise BadSetting("must be " + " or ".join(f'"{known}"' for known in choices))


def host(value: object) -> str:
    """An address to listen on: a name, an IPv4 or IPv6 address (brackets are not needed)."""
    if isinstance(value, str) and (HOST.fullmatch(value) or HOST.fullmatch(f"[{value}]")):
        return value.strip("[]")
    raise BadSetting("must be a host name or an IP address, such as 127.0.0.1 or ::1")


def origin(value: object) -> str:
    """A public URL, as scheme and host (and port, unless it is the scheme's own)."""
    wanted = "must be a URL of scheme and host only, such as https://store.example.org"
    try:
        url = urlsplit(text(value))
        port = url.port
    except ValueError:
        raise BadSetting(wanted) from None
    netloc = url.netloc.lower()
    name = netloc.removesuffix(f":{port}")
    if url.scheme not in DEFAULT_PORTS or not HOST.fullmatch(name) or port == 0:
        raise BadSetting(wanted)
    if url.path not in ("", "/") or url.query or url.fragment:
        raise BadSetting(f"{wanted}; a path is not supported")
    return f"{url.scheme}://{name}" + (
        f":{port}" if port and port != DEFAULT_PORTS[url.scheme] else ""
    )


def did_web(value: object) -> str:
    """The DID of a service: a `did:web`, since clients refuse a provider that is a `did:key`."""
    if isinstance(value, str) and DID_WEB.fullmatch(value):
        return value
    raise BadSetting(
        "must be a did:web, such as did:web:store.example.org or did:web:localhost%3A3000"
    )


def did_of(public_url: str) -> str:
    """The `did:web` of a public URL's host and port."""
    return "did:web:" + quote(urlsplit(public_url).netloc, safe="")


def port(value: object) -> int:
    """A TCP port."""
    return whole(value, 1, 65_535)


def workers(value: object) -> int:
    """A number of processes."""
    return whole(value, 1, WORKERS_MAX)


def seconds(low: int, high: int) -> Callable[[object], int]:
    """Reads a time span in whole seconds."""

    def read(value: object) -> int:
        return whole(value, low, high, "seconds")

    return read


def switch(value: object) -> bool:
    """On or off."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in SWITCH:
        return SWITCH[value.lower()]
    raise BadSetting("must be 1 or 0")


def url(value: object, schemes: Sequence[str]) -> str:
    """A URL with one of these schemes."""
    wanted = "must be a URL that begins with " + " or ".join(f"{known}://" for known in schemes)
    given = text(value) if isinstance(value, str) and value else ""
    scheme, mark, rest = given.partition("://")
    if scheme not in schemes or not mark or not rest:
        raise BadSetting(wanted)
    return given


def database_url(value: object) -> str:
    """Where cells, blocks and plans are kept."""
    return url(value, ("sqlite", "postgresql"))


def bucket_url(value: object) -> str:
    """Where bytes are kept."""
    return url(value, ("file", "s3"))


def smtp_url(value: object) -> str:
    """The mail server, possibly with user name and password."""
    wanted = "must be a mail server with no port or a good one, such as smtp://mail.example.org:587"
    given = urlsplit(url(value, ("smtp", "smtps")))
    try:
        if given.hostname and given.port != 0:
            return given.geturl()
    except ValueError:
        pass
    raise BadSetting(wanted)


def provision(value: object) -> Provision:
    """Whether unknown spaces may store."""
    return choice(value, ("open", "closed"))


def plans(value: object) -> Plans:
    """Which accounts have a plan, and whether they need one."""
    return choice(value, ("open", "assigned", "required"))


def providers(value: object) -> tuple[tuple[str, int | None], ...]:
    """The names by which we provide, in a list or with commas between: DIDs, each alone or with the
    room that a space gets by it, such as `did:web:small.example.org=500MB`."""
    wanted = "must be did:web, each alone or with a size, such as did:web:a.example=10GiB"
    given = cast("list[object]", value) if isinstance(value, list) else text(value).split(",")
    found = [provider(each, wanted) for each in given]
    names = [name for name, _ in found]
    if not 0 < len(found) <= PROVIDERS_MAX or len(set(names)) < len(names):
        raise BadSetting(f"{wanted}, up to {PROVIDERS_MAX}, no two alike")
    return tuple(found)


def provider(value: object, wanted: str) -> tuple[str, int | None]:
    """One of them."""
    name, mark, room = (value if isinstance(value, str) else "").strip().partition("=")
    if not DID_WEB.fullmatch(name):
        raise BadSetting(wanted)
    return name, size(room) if mark else None


def reading(value: object) -> Reading:
    """Who may read."""
    return choice(value, ("public", "closed"))


def gateway(value: object) -> Gateway:
    """Whether content is given out by CID and path."""
    return choice(value, ("public", "off"))


def log_format(value: object) -> LogFormat:
    """How log lines look."""
    return choice(value, ("auto", "console", "json"))
