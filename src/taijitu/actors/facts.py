"""Writing down what lies within bytes.

Law: it is written only while somebody holds the bytes, in one step with seeing that. So they are
not deleted before it is true, and whoever deletes them then drops it: nobody else has to.
"""

from collections.abc import Awaitable, Callable, Sequence

from taijitu.engine.actor import View
from taijitu.engine.storage import SliceRow
from taijitu.machines.blob import Kept, blob_at

Wanted = Callable[[View], bool]
"""Whether, as cells say, facts are to be written down."""

Note = Callable[[Sequence[SliceRow], Wanted], Awaitable[bool]]
"""Write facts down, durably, if they are wanted as they become true. False if they are not."""


def is_held(view: View, multihash: str) -> bool:
    """Whether somebody refers to some bytes, and nobody deletes them."""
    state = view(blob_at(multihash))
    return isinstance(state, Kept) and state.references > 0
