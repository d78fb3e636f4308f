"""What an operator can ask of an installation, in process or through the admin door.

The door is HTTP on a Unix socket in the data folder, for its owner only: `POST /{verb}` with a JSON
object of arguments, answered by JSON. `{"error": sentence}` with status 400 says what is wrong.
"""

import inspect
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from taijitu import __version__
from taijitu.engine.history import history
from taijitu.engine.storage import TaskRow
from taijitu.ipld import multibase
from taijitu.ipld.cid import IDENTITY, InvalidLink, Link
from taijitu.kernel.effect import tag
from taijitu.kernel.failures import Fault
from taijitu.machines.entry import entry_at
from taijitu.server import backup, waiting
from taijitu.server.about import json
from taijitu.server.accounts import AccountVerbs
from taijitu.server.backup import Status
from taijitu.server.health import examine
from taijitu.server.http import HttpAnswer, Receive, Request, Scope, Send, reply
from taijitu.server.installation import Installation
from taijitu.server.settings import SIZE_MAX
from taijitu.server.trouble import BadRequest
from taijitu.ucan import principal

BODY_SIZE_MAX: Final = 64 * 1024
BODY_TIME_MAX: Final = 10.0

WHY_LENGTH_MAX: Final = 200
"""Characters of a reason."""


class Admin:
    """Every verb takes and answers plain data."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.engine = installation.engine
        self.spaces = installation.spaces
        self.denials = installation.denials
        self.backup: Status | None = None
        self.verbs: dict[str, Callable[..., Awaitable[Any]]] = {
            "provision": self.provision,
            "spaces": self.all_spaces,
            "space": self.space,
            "block": self.block,
            "unblock": self.unblock,
            "deny": self.deny,
            "allow": self.allow,
            "denied": self.denied,
            "place": self.place,
            "history": self.history,
            "about": self.about,
            "waiting": self.waiting,
            "retry": self.retry,
            "park": self.park,
            "examine": self.examine,
            "backup": self.back_up,
            "backup-status": self.backup_status,
            **AccountVerbs(installation).verbs,
        }

    async def ask(self, verb: str, arguments: dict[str, Any]) -> Any:
        """Do what a verb says. Raises `BadRequest`."""
        known = self.verbs.get(verb)
        if known is None:
            raise BadRequest(f"there is no {verb!r} here; there is {', '.join(self.verbs)}")
        check(verb, known, arguments)
        return await known(**arguments)

    async def provision(self, space: str, capacity: int) -> dict[str, Any]:
        """Give a space room for `capacity` bytes."""
        if not 0 <= capacity <= SIZE_MAX:
            raise BadRequest(f"a space cannot hold {capacity} bytes, only 0 to {SIZE_MAX}")
        return plain(await self.spaces.provision(space_did(space), capacity))

    async def all_spaces(self) -> list[dict[str, Any]]:
        """Every space that was provisioned."""
        return [plain(space) for space in await self.spaces.all()]

    async def space(self, space: str) -> dict[str, Any]:
        """How much one space may hold and does."""
        found = await self.spaces.find(space_did(space))
        if found is None:
            raise BadRequest(
                f"{space} has no room here: `taijitu space provision` would give it some"
            )
        return plain(found)

    async def block(self, space: str) -> dict[str, Any]:
        """Let nothing new into a space."""
        return plain(await self.spaces.block(space_did(space)))

    async def unblock(self, space: str) -> dict[str, Any]:
        """Let a space in again. One that never had room is as unknown as before."""
        found = await self.spaces.unblock(space_did(space))
        return plain(found) if found else {"space": space}

    async def deny(self, cid: str, why: str) -> dict[str, Any]:
        """Give some bytes out no more. `also_in` tells the stored objects in which they lie, too,
        and that are given out."""
        if len(why) > WHY_LENGTH_MAX or not why.isprintable():
            raise BadRequest(f"a reason is one line of up to {WHY_LENGTH_MAX} characters")
        denied = await self.denials.deny(link := stored_under(cid), why)
        also_in = await self.denials.lies_in(link)
        return plain(denied) | {"also_in": [str(each) for each in also_in]}

    async def allow(self, cid: str) -> dict[str, Any]:
        """Give them out again. `denied` tells whether they were not."""
        found = await self.denials.allow(stored_under(cid))
        return {"cid": cid, "denied": found is not None}

    async def denied(self) -> list[dict[str, Any]]:
        """All that is not given out, the newest first."""
        return [plain(each) for each in await self.denials.all()]

    async def place(self, space: str, cid: str) -> dict[str, Any]:
        """Where one object of a space is in the chart: the class and the tag of its state, and how
        many transitions led there."""
        head = await self.engine.read(entry_at(space_did(space), name_of(cid)))
        state = type(head.state)
        return {"state": state.__name__, "tag": tag(state), "seq": head.seq}

    async def history(self, space: str, cid: str) -> dict[str, Any]:
        """What happened to one object of a space, the oldest first."""
        path = entry_at(space_did(space), name_of(cid))
        found = await history(self.engine.storage, self.engine.machines, path)
        if found is None:
            raise BadRequest(f"nothing ever happened to {cid} in {space}")
        return plain(found)

    async def waiting(self, limit: int) -> dict[str, Any]:
        """What is not at rest; up to `limit` tasks in detail."""
        installation = self.installation
        return plain(await waiting.waiting(self.engine, installation.dispatcher, max(0, limit)))

    async def retry(self, task: str) -> dict[str, Any]:
        """Try an open task again now."""
        await waiting.retry(self.engine, row := await self._open_task(task))
        return {"task": task, "ability": row.ability, "cell": row.path}

    async def park(self, task: str) -> dict[str, Any]:
        """Put an open task aside."""
        await waiting.park(self.engine, row := await self._open_task(task))
        return {"task": task, "ability": row.ability, "cell": row.path}

    async def _open_task(self, task: str) -> TaskRow:
        row = await waiting.find(self.engine, task)
        if row is None:
            raise BadRequest(f"no task {task} is open: it may be settled by now")
        return row

    async def examine(self) -> dict[str, Any]:
        """How sound the database is, and what the clock says."""
        return plain(await examine(self.installation))

    async def back_up(self, folder: str) -> dict[str, Any]:
        """Begin a backup in a folder (an absolute path). `backup-status` tells how it goes."""
        if self.backup is not None and not self.backup.is_over:
            raise BadRequest("a backup is being made already")
        config, signer, target = self.installation.config, self.installation.signer, Path(folder)
        if not target.is_absolute():
            raise BadRequest(f"{folder!r} is not an absolute path")
        self.backup = backup.start(lambda status: backup.back_up(config, signer, target, status))
        return self.backup.told()

    async def backup_status(self) -> dict[str, Any]:
        """How far the backup has come that was begun last."""
        if self.backup is None:
            raise BadRequest("no backup was begun since the service started")
        return self.backup.told()

    async def about(self) -> dict[str, Any]:
        """Who is serving, and where."""
        config, signer = self.installation.config, self.installation.signer
        return {
            "url": config.public_url,
            "did": signer.did,
            "key": signer.key_did,
            "version": __version__,
            "data": str(config.data),
            "pid": os.getpid(),
        }


class AdminDoor:
    """The ASGI application behind the Unix socket."""

    def __init__(self, admin: Admin) -> None:
        self.admin = admin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await reply(request, await self.answer(request), {}, send)

    async def answer(self, request: Request) -> HttpAnswer:
        try:
            body = await request.body(BODY_SIZE_MAX, BODY_TIME_MAX)
            arguments = msgspec.json.decode(body or b"{}", type=dict[str, Any])
            return json(await self.admin.ask(request.path.strip("/"), arguments))
        except (BadRequest, msgspec.DecodeError) as why:
            return json({"error": str(why)}, 400)
        except Fault as why:
            return json({"error": str(why)}, 503)


def check(verb: str, known: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Raises `BadRequest` for arguments that a verb does not take."""
    wanted = inspect.signature(known).parameters
    for name in arguments.keys() - wanted.keys():
        raise BadRequest(f"{verb} takes no {name!r}; it takes {', '.join(wanted) or 'nothing'}")
    for name, parameter in wanted.items():
        if name not in arguments:
            raise BadRequest(f"{verb} needs {name!r}")
        if type(arguments[name]) is not parameter.annotation:
            kind = "a text" if parameter.annotation is str else "a whole number"
            raise BadRequest(f"{verb}: {name!r} must be {kind}")


def plain(value: Any) -> Any:
    """A record as JSON can hold it."""
    return msgspec.to_builtins(value, enc_hook=str)


def space_did(text: str) -> str:
    """A space, checked. Raises `BadRequest`."""
    try:
        if not text.startswith("did:key:"):
            raise principal.InvalidDid("not a did:key")
        principal.from_did(text)
    except principal.InvalidDid as why:
        raise BadRequest(f"{text!r} is not the DID of a space: {why}") from None
    return text


def name_of(cid: str) -> str:
    """The multihash that a CID names, in base58btc. Raises `BadRequest`."""
    return multibase.encode("z", link_in(cid).multihash)


def stored_under(cid: str) -> Link:
    """A CID of bytes that can be stored. Raises `BadRequest`."""
    link = link_in(cid)
    if link.hash_code == IDENTITY:
        raise BadRequest(f"{cid[:80]!r} holds its bytes itself: nobody needs us to have them")
    return link


def link_in(cid: str) -> Link:
    """Raises `BadRequest`."""
    try:
        return Link.parse(cid)
    except InvalidLink as why:
        raise BadRequest(f"{cid!r} is not a CID: {why}") from None
