"""How much memory the service has, and how many sockets, as the kernel counts them."""

import os
from pathlib import Path

from support.service import Service

MIB = 2**20


def resident(service: Service) -> int:
    """Bytes of its resident set."""
    pages = Path(f"/proc/{service.running().pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def sockets(service: Service) -> int:
    """Those that it listens on as well."""
    return sum(is_socket(each) for each in Path(f"/proc/{service.running().pid}/fd").iterdir())


def is_socket(file: Path) -> bool:
    try:
        return str(file.readlink()).startswith("socket:")
    except FileNotFoundError:  # closed just now
        return False
