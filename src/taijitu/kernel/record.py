"""The one base class for everything that is data."""

from typing import dataclass_transform

from msgspec import Struct, StructMeta


@dataclass_transform(frozen_default=True)
class RecordMeta(StructMeta):
    """Makes `frozen` the default, so that no class line has to say it."""


class Record(Struct, metaclass=RecordMeta, frozen=True, gc=False):
    """A frozen value: compared, hashed, matched and encoded by its fields.

    Values are made from values, so they cannot hold themselves and need no search for cycles.
    """
