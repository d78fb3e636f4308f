"""A prefix of paths, and a place within it, as one half-open span `low <= path < high`.

Paths are compared by code point, which is also the order of their UTF-8 bytes.
"""

SURROGATES = range(0xD800, 0xE000)
LAST_CODE_POINT = 0x10FFFF


def span(prefix: str, after: str, before: str) -> tuple[str, str | None]:
    """The paths that begin with `prefix`, strictly between `after` and `before` where those are
    not empty. A `high` of `None` means: no end."""
    low = max(prefix, after + "\0") if after else prefix
    high = beyond(prefix)
    if before and (high is None or before < high):
        high = before
    return low, high


def beyond(prefix: str) -> str | None:
    """The first text that sorts behind everything that begins with `prefix`, if there is one."""
    kept = prefix.rstrip(chr(LAST_CODE_POINT))
    if not kept:
        return None
    after = ord(kept[-1]) + 1
    return kept[:-1] + chr(SURROGATES.stop if after in SURROGATES else after)
