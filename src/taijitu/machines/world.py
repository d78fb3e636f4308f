"""What machines may ask of the world: tasks that an actor outside the commit carries out.

Bytes are named by `multihash`: the base58btc text (`zQm...`) of their sha2-256 multihash.
"""

from taijitu.kernel.effect import NEVER, Task


class Stat(Task, tag="s3/stat"):
    """Are the bytes there, whole? `ok {size}` or `error`. Waits while they are being swept."""

    actor = "S3"
    multihash: str

    def about(self) -> str:
        return self.multihash


class Presign(Task, tag="s3/presign"):
    """A place to put the bytes: `ok {url, headers, expires, closes}`.

    `expires`: the last moment to begin a PUT; `closes`: when none that began in time can still
    be running. Both in ms since 1970.
    """

    actor = "S3"
    multihash: str
    size: int


class Delete(Task, tag="s3/delete"):
    """Take the bytes away. Deleting what is not there is `ok`."""

    actor = "S3"
    multihash: str

    def about(self) -> str:
        return self.multihash


class Upload(Task, tag="s3/put"):
    """Done by the client: `ok {size}` once its bytes are found to be there, whole.

    A receipt, an event or a finished PUT only wakes it to look; it settles on what it sees.
    """

    actor = "agent"
    agent: str
    multihash: str

    def ready_at(self) -> int:
        return NEVER

    def about(self) -> str:
        return self.multihash


class Sleep(Task, tag="task/sleep"):
    """`ok` once the time `until` (ms since 1970) has come."""

    actor = "timer"
    until: int

    def ready_at(self) -> int:
        return self.until


class Alarm(Task, tag="operator/alarm"):
    """Tell a person: something is wrong that no machine can mend."""

    actor = "operator"
    space: str
    multihash: str
    why: str
