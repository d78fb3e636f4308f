"""How asking a service can fail, told apart by what the caller can do about it.

Law: whatever is raised on purpose is a `ClientError`, and its text is one that can be shown to a
person. What the service itself said is a `Refused`; everything else was found out here.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, cast

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class ClientError(Exception):
    """Something that was asked for did not happen."""


class Unusable(ClientError):
    """What the caller gave (a key, a proof, a link, a URL) is not what it has to be."""


class Unavailable(ClientError):
    """The service did not answer, or said that it can not now. Asking again later may work.

    What was asked for may have happened: the answer is what is missing.
    """


class NotAccepted(ClientError):
    """HTTP itself said no, and would again."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Untrusted(ClientError):
    """What came back is not signed by the service, or is about something else."""


class WrongBytes(ClientError):
    """The bytes are not those that the link names."""


class Unreadable(ClientError):
    """The bytes are right, and are no file or folder, or none that can be written safely."""


class Refused(ClientError):
    """The service says no, in a receipt it has signed. `name` is its word for why."""

    def __init__(self, name: str, message: str, fields: Mapping[str, Any] = NOTHING) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.fields = fields
        """The whole error, as the receipt has it."""


class Unauthorized(Refused):
    """The proofs do not allow it; the text names what is missing."""


class NoDelegation(Unauthorized):
    """Found out before asking: no proof that the agent holds has to do with the space."""

    def __init__(self, can: str, space: str, agent: str, why: str) -> None:
        text = f"no delegation for {can} on {space} to {agent}{why}"
        super().__init__("Unauthorized", text, {"can": can, "with": space})
        self.can = can
        self.space = space
        self.agent = agent


class InvalidAudience(Refused):
    """The service is not the one that was addressed."""


class InsufficientStorage(Refused):
    """The space has no room for that, or none at all."""


class SizeMismatch(Refused):
    """These bytes are known with another size."""


class NotFound(Refused):
    """The space has no such thing; or there is no such space here."""


class HandlerNotFound(Refused):
    """The service does not provide this ability."""


class HandlerExecutionError(Refused):
    """The service failed while it carried this out."""


KINDS: Final[Mapping[str, type[Refused]]] = {
    "Unauthorized": Unauthorized,
    "InvalidAudience": InvalidAudience,
    "InsufficientStorage": InsufficientStorage,
    "SizeMismatch": SizeMismatch,
    "BlobNotFound": NotFound,
    "IndexNotFound": NotFound,
    "ShardNotFound": NotFound,
    "SpaceUnknown": NotFound,
    "StoreItemNotFound": NotFound,
    "UploadNotFound": NotFound,
    "HandlerNotFound": HandlerNotFound,
    "HandlerExecutionError": HandlerExecutionError,
}
"""The names of errors in receipts that have a class of their own."""

MESSAGE_LENGTH_MAX: Final = 20_000
"""Characters of a message of a service that are kept."""


def refused(error: object) -> Refused:
    """The exception for what stands under `error` in a receipt, whatever it is."""
    fields = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    name, message = fields.get("name"), fields.get("message")
    name = name if isinstance(name, str) and name else "Error"
    message = message if isinstance(message, str) and message else f"the service says {name}"
    return KINDS.get(name, Refused)(name, message[:MESSAGE_LENGTH_MAX], fields)
