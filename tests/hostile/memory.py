"""How much memory the service has, as the kernel counts it."""

import os
from pathlib import Path

from support.service import Service

MIB = 2**20


def resident(service: Service) -> int:
    """Bytes of its resident set."""
    pages = Path(f"/proc/{service.running().pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
