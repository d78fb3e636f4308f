"""Values as a block can hold them: records become maps, tuples become lists.

How the values of a type are written is found out once, from its annotations.
"""

from collections.abc import Callable
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record

AS_THEY_ARE = frozenset((str, int, bool, NoneType, bytes, Link))
"""Types of values that hold no others and need no translation."""

TYPES_MAX = 1_024

Writer: TypeAlias = Callable[[Any], Any]


def plain(value: Any) -> Any:
    """A value as a block can hold it."""
    kind = value.__class__
    if kind in AS_THEY_ARE:
        return value
    write = record_writer(kind) if issubclass(kind, Record) else anything
    return write(value)


@lru_cache(maxsize=TYPES_MAX)
def record_writer(kind: type[Record]) -> Writer:
    """Writes records of one class: its tag, if it has one, and its fields."""
    config = kind.__struct_config__
    names = kind.__struct_fields__
    if config.omit_defaults or config.array_like or kind.__struct_encode_fields__ != names:
        return anything
    hints = get_type_hints(kind)
    fields = tuple((name, writer(hints[name])) for name in names)
    label = config.tag_field

    def write(record: Any) -> dict[str, Any]:
        made: dict[str, Any] = {} if label is None else {label: config.tag}
        for name, convert in fields:
            value = getattr(record, name)
            made[name] = value if convert is None else convert(value)
        return made

    return write


@lru_cache(maxsize=TYPES_MAX)
def writer(hint: Any) -> Writer | None:
    """Writes values of this type; `None` if they can be left as they are."""
    if hint in AS_THEY_ARE or get_origin(hint) is Literal:
        return None
    if isinstance(hint, type) and issubclass(hint, Record):
        return plain if is_open(hint) else record_writer(hint)
    arguments = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return None if all(writer(each) is None for each in arguments) else plain
    if get_origin(hint) is tuple:
        return list if all(writer(each) is None for each in arguments if each is not ...) else many
    if get_origin(hint) is dict and arguments[0] is str and writer(arguments[1]) is None:
        return None
    return anything


def is_open(kind: type[Record]) -> bool:
    """Whether the values of a class may be of a subclass of it."""
    return bool(kind.__subclasses__())


def many(values: tuple[Any, ...]) -> list[Any]:
    return [plain(value) for value in values]


def anything(value: Any) -> Any:
    """Whatever it is, and slowly."""
    return lists(msgspec.to_builtins(value, builtin_types=(bytes, Link)))


def lists(value: Any) -> Any:
    """`value` with its tuples as lists: a block has only one kind of sequence."""
    kind = value.__class__
    if kind is dict:
        return {name: lists(item) for name, item in cast("dict[str, Any]", value).items()}
    if kind is tuple or kind is list:
        return [lists(item) for item in value]
    return value
