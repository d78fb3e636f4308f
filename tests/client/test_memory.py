"""Goal: memory stays flat, however large a file is. Method: a process of its own stores a file, a
stream, and fetches it, as it is and packed, also in several shards that are sent at once; the most
that it ever had in memory is what counts."""

import json
import os
import subprocess
import sys
from pathlib import Path

from support.service import SOURCE, Service

SIZE = 64 * 1024 * 1024
"""Bytes of the file."""

GROWTH_MAX = 32 * 1024 * 1024
"""Bytes. It is noise, buffers and what a thread takes; the file would be far more."""

SCRIPT = '''
import asyncio, json, resource, sys
from contextlib import aclosing
from pathlib import Path
from taijitu.client import Client, files, new_key

SHARD = 12_000_000
STATUS = Path("/proc/self/status")

def most():
    """Not what `getrusage` says on Linux: there a process begins with what its parent had."""
    if not STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024

async def pieces(path):
    with path.open("rb") as file:
        while chunk := file.read(1_000_000):
            yield chunk

async def main(url, path):
    grown, at_once = [], []
    async with Client(url, key=new_key()) as client:
        await client.store.add(b"warm up")
        before = most()
        added = await client.store.add(path)
        grown.append(most() - before)
        await client.store.remove(added.link)
        await client.store.add(pieces(path))
        grown.append(most() - before)
        size = 0
        async with aclosing(client.stream(added.link)) as chunks:
            async for chunk in chunks:
                size += len(chunk)
        grown.append(most() - before)
        made = await client.put(path)
        grown.append(most() - before)
        await client.get(made.root, path.with_name("back"))
        grown.append(most() - before)
        shards = await files.put(
            client.space,
            pieces(path.with_name("other")),
            shard_size=SHARD,
            at_once=3,
            progress=lambda progress: at_once.append(progress.shards - progress.stored),
        )
        grown.append(most() - before)
    told = {"size": size, "sent": added.sent, "grown": grown}
    print(json.dumps(told | {"shards": len(shards.shards), "at_once": max(at_once)}))

asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
'''


def test_memory_is_flat_while_64_mib_go_up_and_down(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "large.car"
    path.write_bytes(os.urandom(SIZE))
    path.with_name("other").write_bytes(os.urandom(SIZE))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, service.url, str(path)],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["size"] == SIZE
    assert told["sent"]
    assert told["shards"] > 4
    assert 2 <= told["at_once"] <= 3
    assert max(told["grown"]) < GROWTH_MAX, told
