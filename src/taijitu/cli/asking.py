"""What the commands of a client share: who asks, whom, with which proofs, and how it is told.

Law: nothing of a key is ever printed, and a refusal ends with what would help.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias, TypeVar

from cyclopts import Parameter

from taijitu.cli.trouble import Refusal

if TYPE_CHECKING:
    from taijitu.client import Client, Retrying, Signer
    from taijitu.client.failures import ClientError, InsufficientStorage, Unauthorized
    from taijitu.client.proofs import Proof

V = TypeVar("V")

AGENT_KEY: Final = "TAIJITU_AGENT_KEY"
PROOF: Final = "TAIJITU_PROOF"

ACCOUNTS: Final = "did:mailto:"

EVERYTHING: Final = ("store", "space", "upload")
"""What `put`, `get`, `ls` and `rm` ask for."""

TOGETHER: Final = {"store": ("store",), "space": ("space", "upload"), "upload": ("space", "upload")}
"""What somebody who lacks one of them lacks, as a rule: CARs take one, files the two others."""

NO_PROVIDER: Final = "no storage provider"
"""How services say that a space has no room at all."""


def only_a_dash(_: object, value: Path | None) -> None:
    """Of all that begins with a hyphen, only the hyphen is meant as a file."""
    if value is not None and str(value).startswith("-") and value != Path("-"):
        raise ValueError(f"there is no option {value}; a file of that name is ./{value}")


FileOrDash: TypeAlias = Annotated[Path, Parameter(allow_leading_hyphen=True, validator=only_a_dash)]
"""A file, or - for what is piped."""


@Parameter(name="*")
@dataclass(frozen=True)
class Whom:
    """Where the service is, and who it has to be."""

    url: Annotated[str, Parameter(env_var="TAIJITU_URL")] = "http://localhost:3000"
    """Where the service is."""

    did: Annotated[str | None, Parameter(env_var="TAIJITU_SERVICE_DID")] = None
    """Who the service has to be. Without it: whoever it says it is."""

    service_key: Annotated[str | None, Parameter(env_var="TAIJITU_SERVICE_KEY")] = None
    """The did:key that it has to sign with."""

    receipts: Annotated[str | None, Parameter(env_var="TAIJITU_RECEIPTS")] = None
    """Where its receipts are, if that is not below its URL."""


@Parameter(name="*")
@dataclass(frozen=True)
class Who:
    """Who asks, and what allows it."""

    key: Path | None = None
    """The file with the agent's key. Default: TAIJITU_AGENT_KEY, a file or the key itself."""

    proof: tuple[Path, ...] = ()
    """A delegation to the agent, in a file, or a folder of them; may be repeated. Default:
    TAIJITU_PROOF, the same or base64. Needed unless the agent's key is that of the space."""

    space: Annotated[str | None, Parameter(env_var="TAIJITU_SPACE")] = None
    """The space. Default: that of the proof; without one, the agent's own."""


def run(work: "Callable[[Client], Awaitable[V]]", whom: Whom, who: Who | None = None) -> V:
    """Do something as a client, in words where it fails. Raises `Refusal`."""
    from taijitu.client import Client, ClientError

    async def ask() -> V:
        async with Client(
            whom.url,
            did=whom.did,
            service_key=whom.service_key,
            receipts=whom.receipts,
            key=None if who is None else key_of(who),
            proofs=() if who is None else proofs_of(who),
            space=None if who is None else who.space,
            notice=tell,
        ) as client:
            return await work(client)

    try:
        return asyncio.run(ask())
    except ClientError as why:
        raise Refusal(in_words(why, who)) from None


def usable(made: Callable[[], V]) -> V:
    """What is made of something that was typed. Raises `Refusal`, in words."""
    from taijitu.client import ClientError

    try:
        return made()
    except ClientError as why:
        raise Refusal(str(why)) from None


def has_key(who: Who) -> bool:
    """Whether there is a key to ask with."""
    return who.key is not None or bool(os.environ.get(AGENT_KEY, ""))


def key_of(who: Who) -> "Signer":
    """The agent's key. Raises `Refusal`."""
    from taijitu.cli.key import in_file
    from taijitu.client import ClientError
    from taijitu.client.keys import key_of as parsed

    given = os.environ.get(AGENT_KEY, "")
    if who.key is not None:
        return in_file(who.key)
    if not given:
        raise Refusal(
            "there is no key to ask with: make one with `taijitu key new --out agent.key` and "
            f"name it with --key or {AGENT_KEY}"
        )
    if not given.startswith("M"):
        return in_file(Path(given).expanduser())
    try:
        return parsed(given)
    except ClientError as why:
        raise Refusal(f"{AGENT_KEY} holds no usable key: {why}") from None


def proofs_of(who: Who) -> "list[Proof]":
    """The proofs that were given. Raises `Refusal`."""
    given = os.environ.get(PROOF, "")
    if who.proof or not given:
        return [proof for path in who.proof for proof in proofs_at(path)]
    try:
        return proofs_in(given)
    except Refusal as why:
        raise Refusal(f"{PROOF}: {why}") from None


def proofs_in(text: str) -> "list[Proof]":
    """The proofs in a file or a folder, or the one that a text is. Raises `Refusal`."""
    from taijitu.client.proofs import parse

    path = Path(text).expanduser()
    return proofs_at(path) if is_there(path) else [usable(lambda: parse(text))]


def proofs_at(path: Path) -> "list[Proof]":
    """The proof in a file, or those in the files of a folder. Raises `Refusal`."""
    from taijitu.client.proofs import read

    files = sorted(path.glob("*.car")) if path.is_dir() else [path]
    if not files:
        raise Refusal(f"{path} has no proof in it: they are files that end in .car")
    return [usable(lambda file=file: read(file)) for file in files]


def is_there(path: Path) -> bool:
    """Whether there is such a path; the text of a proof is too long to be one."""
    try:
        return path.exists()
    except OSError:
        return False


def in_words(why: "ClientError", who: Who | None) -> str:
    """The sentence for something that failed, and what would help."""
    from taijitu.client import failures

    match why:
        case failures.Unauthorized():
            return f"{why}\n{what_would_allow(why, 'DID' if who is None else key_of(who).did)}"
        case failures.InsufficientStorage():
            return f"there is no room: {why}{what_would_make_room(why)}"
        case failures.HandlerNotFound():
            return f"the service cannot do this: {why}"
        case _:
            return str(why)


def what_would_allow(why: "Unauthorized", agent: str) -> str:
    """What helps somebody who lacks a proof."""
    account = str(why.fields.get("with", ""))
    if account.startswith(ACCOUNTS):
        return "Act for the account: `taijitu login EMAIL`; then use what it writes with --proof"
    family = str(why.fields.get("can", "")).partition("/")[0]
    can = " ".join([f"--can '{each}/*'" for each in TOGETHER.get(family, EVERYTHING)])
    return (
        f"Whoever has the key of the space can make one: `taijitu delegate --space-key FILE "
        f"--to {agent} {can} --out proof.car`; then use it with --proof or {PROOF}"
    )


def what_would_make_room(why: "InsufficientStorage") -> str:
    """What helps somebody whose space has no room at all; nothing where it is full."""
    if NO_PROVIDER not in str(why):
        return ""
    return (
        "\nAn account gives room to a new space: `taijitu login EMAIL`, then `taijitu space create "
        "--account EMAIL --proof proofs --out space.key`. Or whoever runs the service does: "
        "`taijitu space provision DID`"
    )


def tell(retrying: "Retrying") -> None:
    """Say that something is tried again."""
    failed = " failed" if retrying.number else ""
    print(
        f"taijitu: {retrying.what}{failed}: {retrying.why}; trying again in "
        f"{retrying.seconds:.1f} s",
        file=sys.stderr,
    )
