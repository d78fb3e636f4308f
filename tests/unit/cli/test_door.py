"""Goal: whatever is behind the admin door, the answer is data or a sentence.

Method: a server on a Unix socket that says what the test wants it to say.
"""

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from taijitu.cli.door import NobodyThere, knock
from taijitu.cli.trouble import Refusal
from taijitu.server.folder import SOCKET
from taijitu.server.listen import open_unix


@contextmanager
def somebody(folder: Path, says: bytes) -> Generator[list[bytes], None, None]:
    """Answers one request with `says`; what it was asked is in the list afterwards."""
    heard: list[bytes] = []
    with open_unix(folder / SOCKET) as listener:
        listener.setblocking(True)
        thread = threading.Thread(target=answer, args=(listener, says, heard.append))
        thread.start()
        try:
            yield heard
        finally:
            thread.join()


def answer(listener: socket.socket, says: bytes, hear: Callable[[bytes], None]) -> None:
    connection, _ = listener.accept()
    with connection:
        asked = b""
        while not asked.endswith(b"}"):
            asked += connection.recv(65536)
        hear(asked)
        connection.sendall(says)


def http(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


def test_a_verb_and_its_arguments_go_in_and_data_comes_out(tmp_path: Path) -> None:
    with somebody(tmp_path, http("200 OK", '{"used":7}')) as heard:
        assert knock(tmp_path, "space", {"space": "did:key:z6Mk"}) == {"used": 7}
    assert heard[0].startswith(b"POST /space HTTP/1.1\r\n")
    assert heard[0].endswith(b'\r\n\r\n{"space":"did:key:z6Mk"}')


@pytest.mark.parametrize("status", ["400 Bad Request", "503 Service Unavailable"])
def test_a_refusal_is_the_sentence_of_the_service(tmp_path: Path, status: str) -> None:
    says = http(status, '{"error":"no room"}')
    with somebody(tmp_path, says), pytest.raises(Refusal, match=r"^no room$"):
        knock(tmp_path, "provision", {})


def test_an_error_without_a_reason_is_a_sentence_too(tmp_path: Path) -> None:
    says = http("500 Internal Server Error", "[]")
    with somebody(tmp_path, says), pytest.raises(Refusal, match="status 500"):
        knock(tmp_path, "spaces", {})


@pytest.mark.parametrize("says", [b"", b"SSH-2.0\r\n", http("200 OK", "not JSON")])
def test_what_is_no_answer_is_a_service_that_broke_off(tmp_path: Path, says: bytes) -> None:
    with somebody(tmp_path, says), pytest.raises(Refusal, match="broke off"):
        knock(tmp_path, "spaces", {})


def test_nobody_is_there_where_there_is_no_socket(tmp_path: Path) -> None:
    with pytest.raises(NobodyThere):
        knock(tmp_path, "spaces", {})


def test_nobody_is_there_behind_the_socket_of_a_process_that_died(tmp_path: Path) -> None:
    open_unix(tmp_path / SOCKET).close()
    assert (tmp_path / SOCKET).exists()
    with pytest.raises(NobodyThere):
        knock(tmp_path, "spaces", {})


def test_a_door_deep_in_the_file_system_is_found(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 20) / ("deeper" * 10)
    deep.mkdir(parents=True)
    with somebody(deep, http("200 OK", "[]")):
        assert knock(deep, "spaces", {}) == []
