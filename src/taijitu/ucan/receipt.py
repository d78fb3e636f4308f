"""Receipts: how a task went, signed by whoever ran it.

Law: a receipt is signed over the DAG-CBOR bytes of its outcome, and says exactly one of `ok` and
`error`. Source: ucanto's receipt schema (`ocm`, `sig`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from taijitu.ipld import dagcbor
from taijitu.ipld.cid import Link, link_to
from taijitu.kernel.record import Record
from taijitu.ucan import principal, verifier
from taijitu.ucan.signer import Signer

RECEIPT_SIZE_MAX: Final = 2_097_152
"""Bytes of one receipt block."""


class InvalidReceipt(ValueError):
    """This block is not a receipt."""


class Receipt(Record, eq=False):
    """A receipt: what its block says, the block itself, and its link."""

    link: Link
    data: bytes
    ran: Link
    """The invocation whose outcome this is."""
    out: dict[str, Any]
    """`{"ok": …}` or `{"error": …}`."""
    fork: tuple[Link, ...]
    """Tasks to be run, in no order."""
    join: Link | None
    meta: dict[str, Any]
    issuer: str
    proofs: tuple[Link, ...]
    signature: bytes

    @property
    def is_ok(self) -> bool:
        return "ok" in self.out


def issue(
    signer: Signer,
    ran: Link,
    out: Mapping[str, object],
    *,
    fx_fork: Iterable[Link] = (),
    fx_join: Link | None = None,
    meta: Mapping[str, object] | None = None,
    proofs: Iterable[Link] = (),
) -> Receipt:
    """A receipt signed by `signer`. `out` is `{"ok": …}` or `{"error": …}`.

    Raises `InvalidReceipt` if `out` is neither, `EncodeError` if it has no DAG-CBOR encoding.
    """
    said, forked, links = dict(out), tuple(fx_fork), tuple(proofs)
    _check_out(said)
    fx: dict[str, Any] = {"fork": list(forked)}
    if fx_join is not None:
        fx["join"] = fx_join
    outcome: dict[str, Any] = {
        "fx": fx,
        "iss": signer.did,
        "out": said,
        "prf": list(links),
        "ran": ran,
        "meta": dict(meta or {}),
    }
    signed = signer.sign(dagcbor.encode(outcome))
    data = dagcbor.encode({"ocm": outcome, "sig": signed})
    if len(data) > RECEIPT_SIZE_MAX:
        raise InvalidReceipt(f"a receipt of {len(data)} bytes is larger than anyone reads")
    return Receipt(
        link_to(data),
        data,
        ran,
        said,
        forked,
        fx_join,
        outcome["meta"],
        signer.did,
        links,
        signed,
    )


def decode(link: Link, data: bytes) -> Receipt:
    """The receipt in a block. Its signature is not checked here. Raises `InvalidReceipt`."""
    if len(data) > RECEIPT_SIZE_MAX:
        raise InvalidReceipt(f"a receipt of {len(data)} bytes is larger than we read")
    try:
        block = _map(dagcbor.decode(data), "a receipt")
    except dagcbor.DecodeError as error:
        raise InvalidReceipt(f"not a receipt: {error}") from error
    outcome = _map(block.get("ocm"), "'ocm'")
    fx = _map(outcome.get("fx"), "'fx'")
    out = _map(outcome.get("out"), "'out'")
    _check_out(out)
    return Receipt(
        link,
        data,
        _link(outcome.get("ran"), "'ran'"),
        out,
        _links(fx.get("fork"), "'fx.fork'"),
        _link(fx["join"], "'fx.join'") if fx.get("join") is not None else None,
        _map(outcome.get("meta"), "'meta'"),
        _issuer(outcome.get("iss")),
        _links(outcome.get("prf"), "'prf'"),
        _signature(block.get("sig")),
    )


def verify(receipt: Receipt, keys: Iterable[str] = ()) -> bool:
    """Whether the issuer signed this receipt.

    `keys` are the `did:key`s of an issuer that is not itself a key (a `did:web` service); they
    are not looked at for one that is.
    """
    signed = dagcbor.encode(dagcbor.decode(receipt.data)["ocm"])
    trusted = (receipt.issuer,) if principal.is_key(receipt.issuer) else tuple(keys)
    return any(
        verifier.verify(principal.from_did(key), signed, receipt.signature) for key in trusted
    )


def _check_out(out: dict[str, Any]) -> None:
    if len(out) != 1 or not ("ok" in out or "error" in out):
        raise InvalidReceipt("not a receipt: 'out' must be either 'ok' or 'error'")


def _map(value: Any, name: str) -> dict[str, Any]:
    if value.__class__ is not dict:
        raise InvalidReceipt(f"not a receipt: {name} must be a map")
    return cast("dict[str, Any]", value)


def _link(value: Any, name: str) -> Link:
    if value.__class__ is not Link:
        raise InvalidReceipt(f"not a receipt: {name} must be a link")
    return cast(Link, value)


def _links(value: Any, name: str) -> tuple[Link, ...]:
    if value.__class__ is not list:
        raise InvalidReceipt(f"not a receipt: {name} must be a list of links")
    return tuple([_link(item, name) for item in value])


def _issuer(value: Any) -> str:
    try:
        principal.from_did(value if isinstance(value, str) else "")
    except principal.InvalidDid as error:
        raise InvalidReceipt(f"not a receipt: 'iss' is {error}") from error
    return cast(str, value)


def _signature(value: Any) -> bytes:
    if value.__class__ is not bytes:
        raise InvalidReceipt("not a receipt: 'sig' must be bytes")
    return cast(bytes, value)
