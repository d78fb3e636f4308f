"""The agent message: invocations to execute and receipts to report, in one CAR.

Law: its root is a DAG-CBOR block `{"ucanto/message@7.0.0": {execute?: [link…], report?: {…}}}`.
`execute` keeps its order; `report` maps the text of an invocation's link to a receipt's link.
(The message format of ucanto, version 7.0.0.)
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, cast

from taijitu.ipld import car, dagcbor
from taijitu.ipld.cid import DAG_CBOR, InvalidLink, Link, link_to
from taijitu.kernel.record import Record

VARIANT: Final = "ucanto/message@7.0.0"
MESSAGE_SIZE_MAX: Final = 16 * 1024 * 1024
"""Bytes of a message in CAR."""
MESSAGE_BLOCKS_MAX: Final = 16_384
BLOCK_SIZE_MAX: Final = 4 * 1024 * 1024
"""Bytes of one block in a message."""
EXECUTE_MAX: Final = 1_024
"""Invocations in one message."""
REPORT_MAX: Final = 1_024
"""Receipts in one message."""

LIMITS: Final = car.Limits(
    size_max=MESSAGE_SIZE_MAX, blocks_max=MESSAGE_BLOCKS_MAX, block_size_max=BLOCK_SIZE_MAX
)
NOTHING: Final[Mapping[Link, Any]] = MappingProxyType({})


class MalformedMessage(ValueError):
    """These bytes are not an agent message; the text says why."""


class Message(Record):
    """What one peer tells another. An empty message is legal."""

    execute: tuple[Link, ...] = ()
    """Invocations to run, in order. A link may stand here twice; it is one invocation."""
    report: Mapping[Link, Link] = NOTHING
    """Invocation → root block of its receipt."""
    blocks: Mapping[Link, bytes] = NOTHING
    """All blocks that came along, each checked against its link."""


def decode(body: bytes, limits: car.Limits = LIMITS) -> Message:
    """The message in a CAR. Its first root is the message; others are ignored.

    Raises `MalformedMessage`. A link in `execute` whose block is missing is not an error here.
    """
    try:
        archive = car.decode(body, limits)
    except car.CarError as error:
        raise MalformedMessage(str(error)) from error
    if not archive.roots:
        raise MalformedMessage("the CAR has no root")
    root = archive.roots[0]
    content = _content(root, archive.blocks.get(root))
    return Message(_execute(content), _report(content), archive.blocks)


def encode(
    execute: Sequence[Link] = (),
    report: Mapping[Link, Link] = NOTHING,
    blocks: Mapping[Link, bytes] = NOTHING,
) -> bytes:
    """The CAR of a message: `blocks` in their order, the root block last.

    Raises `dagcbor.EncodeError` for what is not a link.
    """
    content: dict[str, object] = {}
    if execute:
        content["execute"] = list(execute)
    if report:
        content["report"] = {str(ran): receipt for ran, receipt in report.items()}
    block = dagcbor.encode({VARIANT: content})
    root = link_to(block)
    return car.encode((root,), [*blocks.items(), (root, block)])


def _content(root: Link, block: bytes | None) -> dict[str, Any]:
    if block is None:
        raise MalformedMessage(f"the root block {root} is not in the CAR")
    if root.codec != DAG_CBOR:
        raise MalformedMessage(f"the root block {root} is not DAG-CBOR")
    try:
        value = dagcbor.decode(block)
    except dagcbor.DecodeError as error:
        raise MalformedMessage(f"the root block is {error}") from error
    if not isinstance(value, dict):
        raise MalformedMessage("the root block is not a map")
    variants = cast("dict[str, Any]", value)
    content = variants.get(VARIANT)
    if len(variants) != 1 or not isinstance(content, dict):
        raise MalformedMessage(f'the root block is not {{"{VARIANT}": {{…}}}}')
    return cast("dict[str, Any]", content)


def _execute(content: dict[str, Any]) -> tuple[Link, ...]:
    links = content.get("execute", [])
    if not isinstance(links, list):
        raise MalformedMessage("`execute` is not a list of links")
    links = cast("list[object]", links)
    if len(links) > EXECUTE_MAX:
        raise MalformedMessage(f"more than {EXECUTE_MAX} invocations in one message")
    if not all(isinstance(link, Link) for link in links):
        raise MalformedMessage("`execute` is not a list of links")
    return cast("tuple[Link, ...]", tuple(links))


def _report(content: dict[str, Any]) -> Mapping[Link, Link]:
    entries = content.get("report")
    if entries is None and "report" not in content:
        return NOTHING
    if not isinstance(entries, dict):
        raise MalformedMessage("`report` is not a map of links")
    entries = cast("dict[str, object]", entries)
    if len(entries) > REPORT_MAX:
        raise MalformedMessage(f"more than {REPORT_MAX} receipts in one message")
    report: dict[Link, Link] = {}
    for text, receipt in entries.items():
        if not isinstance(receipt, Link):
            raise MalformedMessage(
                f"`report` holds something that is not a link under {text[:80]!r}"
            )
        try:
            report[Link.parse(text)] = receipt
        except InvalidLink as error:
            raise MalformedMessage(f"`report` has a key that is not a link: {error}") from error
    if len(report) != len(entries):
        raise MalformedMessage("`report` spells one link in two ways")
    return report
