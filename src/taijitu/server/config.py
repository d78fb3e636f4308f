"""The configuration: environment over file over defaults, checked before anything starts.

Every setting is `TAIJITU_<NAME>` in the environment and `<name>` in `taijitu.toml`. All have
working defaults. A bad value is refused with the name it was given under; an unknown name is
warned about.
"""

import difflib
import ipaddress
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

from taijitu.kernel.record import Record
from taijitu.server import settings
from taijitu.server.settings import BadSetting, Gateway, LogFormat, Plans, Provision, Reading
from taijitu.server.trouble import CannotStart

PREFIX: Final = "TAIJITU_"
FILE_NAME: Final = "taijitu.toml"
FILE_SIZE_MAX: Final = 256 * 1024
"""Bytes of a configuration file, at most."""

SECOND: Final = 1000
"""Milliseconds."""

UPLOAD_WINDOW_MAX: Final = 604_800
"""Seconds: S3 signatures in URLs cannot live longer than a week."""

UPLOAD_GRACE_MAX: Final = 86_400
"""Seconds."""

RECEIPT_WINDOW_MAX: Final = 10 * 365 * 86_400
"""Seconds."""

GIB: Final = 2**30
"""Bytes."""

ELSEWHERE: Final = frozenset(
    ("CONFIG", "URL", "SERVICE_DID", "SERVICE_KEY", "AGENT_KEY", "PROOF", "SPACE", "RECEIPTS")
)
"""Names in the environment that are no settings of the service: what the client's commands take,
and where to look for the file."""

SECRETS: Final = frozenset({"key", "database_url", "smtp_url"})
"""Settings whose values are never shown."""

ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})

T = TypeVar("T")


class ConfigError(CannotStart):
    """The configuration cannot be used; one sentence for each thing that is wrong."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Secret:
    """A text that does not show itself in logs, errors and representations."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


class Config(Record, kw_only=True):
    """Everything that can be set, in the units the program works with."""

    data: Path
    """The data folder, absolute."""

    key: Secret | None
    """The service's private key (`Mg…`); `None`: use the one in the data folder."""

    did: str
    """The service's `did:web`."""

    host: str
    port: int
    """Where to listen."""

    public_url: str
    """Scheme and host (and port) under which clients reach us; no slash at the end."""

    database_url: Secret
    """`sqlite:///…` or `postgresql://…`; may hold a password."""

    bucket_url: str
    """`file:///…` or `s3://bucket?…`."""

    provision: Provision
    """`open`: an unknown space gets `space_capacity` on first use."""

    space_capacity: int
    """Bytes a space may hold unless it was given another capacity."""

    providers: tuple[tuple[str, int], ...]
    """The DIDs that `provider/add` may name, and the bytes a space may hold by each."""

    plans: Plans
    """`open`: every account has a plan. `assigned`: who was given one. `required`: and without one
    an account may not have spaces provided for."""

    blob_size_max: int
    """Bytes of one object, at most."""

    upload_window_ms: int
    """How long an upload URL can be begun to be used."""

    upload_grace_ms: int
    """How long an upload that began in time may last beyond that."""

    receipt_window_ms: int
    """How long a repeated invocation gets its recorded receipt."""

    read: Reading
    """`public`: whoever knows the link may read. `closed`: only with a signed URL."""

    gateway: Gateway
    """`public`: whoever knows a CID may read what it names, and all below it. `off`: nobody."""

    smtp_url: Secret | None
    """Where to send mail through; `None`: nowhere."""

    workers: int
    """Processes that serve."""

    log: LogFormat
    """`auto`: for people on a terminal, JSON otherwise."""

    testing: bool
    """Opens endpoints for tests that read state or move the clock. Never in production."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach us."""
        return is_loopback(self.host)


class Loaded(NamedTuple):
    """A configuration and what a person should hear about it."""

    config: Config
    warnings: tuple[str, ...]


class Given(NamedTuple):
    """A value as it was given: under which name, and which folder relative paths start from."""

    name: str
    value: object
    folder: Path


def load(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Loaded:
    """The configuration from `environ` (default: the process's) and the file in `folder` (default:
    the current one) or named by `TAIJITU_CONFIG`. Raises `ConfigError` with all that is wrong."""
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder.absolute()
    from_file = read_file(environ.get(PREFIX + "CONFIG", ""), folder)
    given = from_file | {
        name.removeprefix(PREFIX).lower(): Given(name, value, folder)
        for name, value in environ.items()
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in ELSEWHERE and value != ""
    }
    reader = Reader(given)
    config = assemble(reader, folder)
    if reader.problems:
        raise ConfigError(tuple(reader.problems))
    return Loaded(config, reader.warnings() + conflicts(config))


class Reader:
    """Reads settings one by one and remembers what was wrong, so that all is said at once."""

    def __init__(self, given: Mapping[str, Given]) -> None:
        self.given = given
        self.problems: list[str] = []
        self.known: set[str] = set()

    def get(self, name: str, read: Callable[[object], T], default: T) -> T:
        """The value of one setting. A bad one is noted, and the default stands in for it."""
        self.known.add(name)
        given = self.given.get(name)
        if given is None:
            return default
        try:
            return read(given.value)
        except BadSetting as why:
            self.problems.append(f"{given.name} {why}{shown(name, given.value)}")
            return default

    def path(self, name: str, default: Path) -> Path:
        """A path; a relative one starts from where it was written down."""
        text = self.get(name, settings.text, "")
        return (self.given[name].folder / Path(text).expanduser()).absolute() if text else default

    def warnings(self) -> tuple[str, ...]:
        """A sentence for each name that nothing asked for."""
        unknown = sorted(set(self.given) - self.known)
        return tuple(
            f"{self.given[name].name} is not a setting of taijitu and is ignored"
            + "".join(
                f"; did you mean {PREFIX}{near.upper()}?"
                for near in difflib.get_close_matches(name, sorted(self.known), n=1)
            )
            for name in unknown
        )


def assemble(reader: Reader, folder: Path) -> Config:
    """Every setting, in the order in which later defaults follow from earlier values."""
    data = reader.path("data", folder / "taijitu-data")
    host = reader.get("host", settings.host, "127.0.0.1")
    port = reader.get("port", settings.port, 3000)
    public_url = reader.get("public_url", settings.origin, url_of(host, port))
    # Behind a proxy the address is a loopback too: then the URL says that others get in.
    private = is_loopback(host) and is_loopback(host_of(public_url))
    provision: Provision = "open" if private else "closed"
    place = quote(str(data))
    did = reader.get("did", settings.did_web, settings.did_of(public_url))
    capacity = reader.get("space_capacity", settings.size, 10 * GIB)
    providers = reader.get("providers", settings.providers, ((did, None),))
    read: Reading = reader.get("read", settings.reading, "public")
    gateway: Gateway = "public" if read == "public" else "off"
    return Config(
        data=data,
        key=secret(reader.get("key", settings.text, "")),
        did=did,
        host=host,
        port=port,
        public_url=public_url,
        database_url=Secret(
            reader.get("database_url", settings.database_url, f"sqlite://{place}/taijitu.db")
        ),
        bucket_url=reader.get("bucket_url", settings.bucket_url, f"file://{place}/blobs"),
        provision=reader.get("provision", settings.provision, provision),
        space_capacity=capacity,
        providers=tuple((name, room or capacity) for name, room in providers),
        plans=reader.get("plans", settings.plans, "open"),
        blob_size_max=reader.get("blob_size_max", settings.size, 5 * GIB),
        upload_window_ms=SECOND
        * reader.get("upload_window", settings.seconds(1, UPLOAD_WINDOW_MAX), 86_400),
        upload_grace_ms=SECOND
        * reader.get("upload_grace", settings.seconds(0, UPLOAD_GRACE_MAX), 900),
        receipt_window_ms=SECOND
        * reader.get("receipt_window", settings.seconds(1, RECEIPT_WINDOW_MAX), 604_800),
        read=read,
        gateway=reader.get("gateway", settings.gateway, gateway),
        smtp_url=secret(reader.get("smtp_url", settings.smtp_url, "")),
        workers=reader.get("workers", settings.workers, 1),
        log=reader.get("log", settings.log_format, "auto"),
        testing=reader.get("testing", settings.switch, False),
    )


def secret(text: str) -> Secret | None:
    """An empty text is no secret."""
    return Secret(text) if text else None


def shown(name: str, value: object) -> str:
    """The refused value, for the sentence that refuses it; never one that may hold a secret."""
    return "" if name in SECRETS else f" (given: {value!r})"


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def host_of(url: str) -> str:
    """The host in a URL."""
    return urlsplit(url).hostname or ""


def url_of(host: str, port: int) -> str:
    """The URL for a service that was told where to listen, not what it is called."""
    if is_loopback(host) or host in ANY_ADDRESS:
        host = "localhost"
    return settings.origin(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")


def conflicts(config: Config) -> tuple[str, ...]:
    """What is allowed, but should be said loudly."""
    found: list[str] = []
    if config.provision == "open" and not config.loopback:
        found.append(
            f"{PREFIX}PROVISION is open and the service listens on {config.host}: whoever "
            "can reach it can store data here"
        )
    elif config.provision == "open" and not is_loopback(host_of(config.public_url)):
        found.append(
            f"{PREFIX}PROVISION is open and the service is known as {config.public_url}: whoever "
            "can reach it there can store data here"
        )
    if config.gateway == "public" and config.read == "closed":
        found.append(
            f"{PREFIX}GATEWAY is public and {PREFIX}READ is closed: what only a signed URL reads "
            "as a CAR, everybody reads by CID"
        )
    if config.testing:
        found.append(f"{PREFIX}TESTING is on: endpoints for tests are open to whoever can reach us")
    return tuple(found)


def read_file(named: str, folder: Path) -> dict[str, Given]:
    """What the file says: the one that is named, else `taijitu.toml` if there is one."""
    path = folder / Path(named or FILE_NAME).expanduser()
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_SIZE_MAX + 1)
    except FileNotFoundError:
        if not named:
            return {}
        raise ConfigError((f"{PREFIX}CONFIG names {path}, which does not exist",)) from None
    except OSError as why:
        raise ConfigError((f"{path} cannot be read: {why.strerror}",)) from None
    if len(raw) > FILE_SIZE_MAX:
        raise ConfigError((f"{path} is larger than {FILE_SIZE_MAX} bytes",))
    try:
        table = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as why:
        raise ConfigError((f"{path} is not TOML: {why}",)) from None
    return {name: Given(f"{name} (in {path})", value, path.parent) for name, value in table.items()}
