"""The admin door of a running service, from outside: HTTP on the Unix socket in its data folder."""

import socket
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

import msgspec

from taijitu.cli.trouble import Refusal
from taijitu.server.folder import SOCKET
from taijitu.server.listen import short

TIME_MAX: Final = 30.0
"""Seconds to wait for an answer."""

ANSWER_SIZE_MAX: Final = 256 * 1024 * 1024
"""Bytes of an answer that are read."""


class NobodyThere(Exception):
    """No service answers at this door."""


class Connection(HTTPConnection):
    """HTTP through a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIME_MAX)
        self.path = path

    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(TIME_MAX)
            with short(self.path) as address:
                sock.connect(address)
        except BaseException:
            sock.close()
            raise
        self.sock = sock


def knock(folder: Path, verb: str, arguments: dict[str, Any]) -> Any:
    """Ask the service that owns a data folder. Raises `NobodyThere`, or `Refusal` for what it
    refuses."""
    connection = Connection(folder / SOCKET)
    try:
        connection.connect()
    except PermissionError:
        raise Refusal(
            f"the service that owns {folder} belongs to another user: ask as that user"
        ) from None
    except OSError as why:
        raise NobodyThere(str(why)) from None
    try:
        status, answer = exchange(connection, verb, arguments)
    except (OSError, HTTPException, msgspec.DecodeError) as why:
        raise Refusal(
            f"the service that owns {folder} broke off ({why or type(why).__name__}): is it "
            "stopping? Ask again in a moment"
        ) from None
    finally:
        connection.close()
    if status == 200:
        return answer
    raise Refusal(refusal_in(answer, status))


def exchange(connection: Connection, verb: str, arguments: dict[str, Any]) -> tuple[int, Any]:
    """One request, one answer: its status and what its JSON says."""
    body = msgspec.json.encode(arguments)
    connection.request("POST", f"/{verb}", body, {"content-type": "application/json"})
    response = connection.getresponse()
    raw = response.read(ANSWER_SIZE_MAX)
    return response.status, msgspec.json.decode(raw)


def refusal_in(answer: Any, status: int) -> str:
    """The sentence with which the service refuses."""
    match answer:
        case {"error": str(sentence)}:
            return sentence
        case _:
            return f"the service answers with status {status} and no reason"
