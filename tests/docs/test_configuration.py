"""Goal: every setting stands in the documentation, and nothing else does."""

import re
from pathlib import Path

from taijitu.server.config import PREFIX, Reader, assemble

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def test_the_page_names_every_setting_and_no_other(tmp_path: Path) -> None:
    reader = Reader({})
    assemble(reader, tmp_path)
    known = {f"{PREFIX}{name.upper()}" for name in reader.known} | {"TAIJITU_CONFIG"}
    rows = re.findall(r"^\| `(TAIJITU_\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(known)
