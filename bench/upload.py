"""One large PUT beside `dd ... conv=fsync` of the same file on the same disk, in the same run."""

import http.client
import json
import os
import subprocess
import time
import urllib.request
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from bench.report import Run
from bench.service import Service
from taijitu.ipld import dagcbor
from taijitu.ipld.cid import CAR, link_with
from taijitu.ucan.issue import delegate
from taijitu.ucan.signer import Signer
from taijitu.wire import message

CHUNK = 2**20


def put(service: Service, size: int) -> tuple[Run, float]:
    """The run of the PUT (bytes as `done`), and the seconds that `dd` took."""
    source = service.data / "source"
    digest = sha256()
    with source.open("wb") as file:
        for _ in range(size // CHUNK):
            chunk = os.urandom(CHUNK)
            digest.update(chunk)
            file.write(chunk)
    dd = copy_with_dd(source, service.data / "copy")
    url, headers = ask(service, digest.digest(), size)
    cpu, own, began = service.cpu_seconds(), time.process_time(), time.perf_counter()
    send(url, headers, source)
    seconds = time.perf_counter() - began
    run = Run(size, seconds, service.cpu_seconds() - cpu, [seconds], time.process_time() - own)
    source.unlink()
    return run, dd


def copy_with_dd(source: Path, target: Path) -> float:
    began = time.perf_counter()
    command = ["dd", f"if={source}", f"of={target}", "bs=1M", "conv=fsync", "status=none"]
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - began
    target.unlink()
    return seconds


def ask(service: Service, digest: bytes, size: int) -> tuple[str, dict[str, str]]:
    """Add a CAR of these bytes to a space of its own."""
    did = json.load(urllib.request.urlopen(f"{service.url}/version"))["did"]
    space = Signer.from_seed(os.urandom(32))
    link = link_with(b"\x12\x20" + digest, CAR)
    capability = {"can": "store/add", "with": space.did, "nb": {"link": link, "size": size}}
    asked = delegate(space, did, [capability], expiration=2**40)
    body = message.encode(execute=[asked.link], blocks={asked.link: asked.data})
    headers = {"content-type": "application/vnd.ipld.car"}
    answer = urllib.request.urlopen(urllib.request.Request(service.url, body, headers)).read()
    report = message.decode(answer)
    out = dagcbor.decode(report.blocks[report.report[asked.link]])["ocm"]["out"]
    return out["ok"]["url"], out["ok"]["headers"]


def send(url: str, headers: dict[str, str], source: Path) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, blocksize=CHUNK)
    with source.open("rb") as file:
        connection.request("PUT", f"{parts.path}?{parts.query}", file, headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {answer.read()!r}")
    connection.close()
