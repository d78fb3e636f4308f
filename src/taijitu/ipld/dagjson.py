"""DAG-JSON: the text that a UCAN signature is over, to the byte, and what such a text says.

Law: what is written is what a JavaScript peer would write. Keys are ordered by UTF-16 code units,
numbers are spelled as ECMA-262 spells them, and only what JSON requires is escaped
(https://ipld.io/specs/codecs/dag-json/spec/). What is read need not be: any JSON will do in which
links and bytes are spelled right.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from json.encoder import encode_basestring  # escapes what `JSON.stringify` escapes, no more
from math import isfinite
from typing import Any, Final, NoReturn, cast

import msgspec

from taijitu.ipld.cid import InvalidLink, Link
from taijitu.ipld.dagcbor import NESTING_MAX, REASON_LENGTH_MAX, DecodeError, EncodeError

INTEGER_MAX: Final = 2**64 - 1
INTEGER_MIN: Final = -(2**64)
SAFE_INTEGER_MAX: Final = 2.0**53 - 1
"""A float that is whole and not larger is an integer to JavaScript, and spelled like one."""
PLAIN_DIGITS_MAX: Final = 21
"""ECMA-262: from 1e21 on a number has an exponent."""
LEADING_ZEROS_MAX: Final = 6
"""ECMA-262: below 1e-6 a number has an exponent."""

_quote = encode_basestring


def encode(value: object) -> bytes:
    """The DAG-JSON of `value` in UTF-8.

    Takes what `dagcbor.encode` takes, and refuses a map that would read like a link or like
    bytes. Raises `EncodeError`.
    """
    try:
        return _fast(value) or _WRITERS[value.__class__](value).encode()
    except UnicodeEncodeError as error:
        raise EncodeError(f"not encodable as DAG-JSON: {error}") from error
    except RecursionError as error:
        raise EncodeError("not encodable as DAG-JSON: nested too deep") from error


def decode(data: bytes) -> Any:
    """The value that a text says, links as `Link` and bytes as `bytes`.

    Raises `DecodeError` for what is no JSON in UTF-8, is nested too deep, or has a `{"/": …}` that
    is neither a link nor bytes.
    """
    try:
        return _read(_parse(data), NESTING_MAX)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise DecodeError(f"not DAG-JSON: {str(error)[:REASON_LENGTH_MAX]}") from error


def _read(value: Any, levels_left: int) -> Any:
    if value.__class__ not in (dict, list):
        return value
    if levels_left == 0:
        raise DecodeError(f"not DAG-JSON: nested deeper than {NESTING_MAX} levels")
    if value.__class__ is list:
        return [_read(item, levels_left - 1) for item in value]
    if len(value) == 1 and "/" in value:
        return _read_special(value["/"])
    return {key: _read(item, levels_left - 1) for key, item in value.items()}


def _read_special(said: Any) -> Link | bytes:
    """What stands alone under the key that is kept for links and bytes."""
    match said:
        case str():
            try:
                return Link.parse(said)
            except InvalidLink as error:
                raise DecodeError(f"not DAG-JSON: {error}") from error
        case {"bytes": str() as text, **rest} if not rest and "=" not in text:
            try:
                return b64decode(text + "=" * (-len(text) % 4), validate=True)
            except ValueError as error:
                raise DecodeError(f"not DAG-JSON: {error} in base64") from error
        case _:
            raise DecodeError('not DAG-JSON: {"/": …} that is neither a link nor bytes')


def _fast(value: object) -> bytes | None:
    """The same text by a general JSON encoder, where its rules and ours agree; else `None`.

    They agree on ASCII, whose order is the same in UTF-8 and UTF-16, without floats and bytes.
    """
    if not _is_plain((value,)):
        return None
    try:
        text = _json.encode(value)
    except TypeError:  # a key that is not text
        return None
    return text if text.isascii() else None


def _is_plain(container: Iterable[object]) -> bool:
    for item in container:
        kind = item.__class__
        if kind in _PLAIN:
            continue
        if kind is int:
            if not INTEGER_MIN <= cast(int, item) <= INTEGER_MAX:
                return False
        elif kind is dict:
            inner = cast("dict[str, object]", item)
            if "/" in inner or not _is_plain(inner.values()):
                return False
        elif kind is not list or not _is_plain(cast("list[object]", item)):
            return False
    return True


def _map(value: dict[str, object]) -> str:
    if "/" in value and len(value) == 1 and value["/"].__class__ in (str, dict):
        raise EncodeError('not encodable as DAG-JSON: {"/": …} is kept for links and bytes')
    try:
        keys = sorted(value)
        if not "".join(keys).isascii():
            keys.sort(key=_utf16)
    except TypeError as error:
        raise EncodeError("not encodable as DAG-JSON: map keys must be text") from error
    write = _WRITERS
    return (
        "{" + ",".join([f"{_quote(k)}:{write[(v := value[k]).__class__](v)}" for k in keys]) + "}"
    )


def _list(value: list[object]) -> str:
    return "[" + ",".join([_WRITERS[item.__class__](item) for item in value]) + "]"


def _link(value: Link) -> str:
    return f'{{"/":"{value}"}}'


def _link_map(value: Any) -> dict[str, str]:
    return {"/": str(value)}


def _bytes(value: bytes) -> str:
    return f'{{"/":{{"bytes":"{b64encode(value).decode().rstrip("=")}"}}}}'


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _null(_: None) -> str:
    return "null"


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _integer(value: int) -> str:
    if not INTEGER_MIN <= value <= INTEGER_MAX:
        raise EncodeError("not encodable as DAG-JSON: integer out of range")
    return str(value)


def _float(value: float) -> str:
    if not isfinite(value):
        raise EncodeError(f"not encodable as DAG-JSON: {value}")
    if value.is_integer() and abs(value) <= SAFE_INTEGER_MAX:
        return str(int(value))
    text = number(value)
    return text if "." in text or "e" in text else text + ".0"


def number(value: float) -> str:
    """A finite float as ECMA-262 `Number::toString` spells it, base ten."""
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)  # where the point stands among the digits
    digits = whole + fraction
    leading = len(digits) - len(digits.lstrip("0"))
    digits, point = digits.lstrip("0").rstrip("0") or "0", point - leading
    if digits == "0":
        return "0"
    if len(digits) <= point <= PLAIN_DIGITS_MAX:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= PLAIN_DIGITS_MAX:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -LEADING_ZEROS_MAX < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{point - 1:+d}"


class _Writers(dict[type, Callable[[Any], str]]):
    """How each type is written. Exactly these: a subclass is another type."""

    def __missing__(self, kind: type) -> NoReturn:
        raise EncodeError(f"not encodable as DAG-JSON: {kind.__name__}")


_WRITERS: Final = _Writers(
    {
        str: _quote,
        dict: _map,
        list: _list,
        int: _integer,
        Link: _link,
        bytes: _bytes,
        bool: _bool,
        float: _float,
        type(None): _null,
    }
)
_PLAIN: Final = frozenset((str, bool, Link, type(None)))
_parse: Final = msgspec.json.Decoder().decode
_json: Final = msgspec.json.Encoder(order="sorted", enc_hook=_link_map)
