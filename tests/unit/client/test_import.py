"""Goal: importing the client costs little; what is large comes when a connection is opened."""

import subprocess
import sys


def test_importing_the_client_imports_no_http_and_no_service() -> None:
    script = (
        "import sys, taijitu.client; "
        "print([name for name in ('aiohttp', 'apsw', 'uvicorn', 'cyclopts', 'taijitu.server', "
        "'taijitu.engine') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
