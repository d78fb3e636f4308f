"""The protocols as machines: one machine, one file, one screenful of `update`. Pure."""

from collections.abc import Mapping

from taijitu.kernel.machine import Machine
from taijitu.machines.account import ACCOUNT
from taijitu.machines.allocation import ALLOCATION
from taijitu.machines.blob import BLOB
from taijitu.machines.contents import CONTENTS
from taijitu.machines.delegation import DELEGATION
from taijitu.machines.denial import DENIAL
from taijitu.machines.egress import EGRESS
from taijitu.machines.entry import ENTRY
from taijitu.machines.index import INDEX
from taijitu.machines.ledger import LEDGER
from taijitu.machines.limit import LIMIT
from taijitu.machines.login import LOGIN
from taijitu.machines.piece import PIECE
from taijitu.machines.revocation import REVOCATION
from taijitu.machines.subscription import SUBSCRIPTION
from taijitu.machines.upload import UPLOAD

MACHINES: Mapping[str, Machine] = {
    machine.name: machine
    for machine in (
        *(ENTRY, ALLOCATION, LEDGER, BLOB, CONTENTS, UPLOAD, INDEX, PIECE, REVOCATION),
        *(LOGIN, ACCOUNT, DELEGATION, SUBSCRIPTION, LIMIT, EGRESS, DENIAL),
    )
}
"""Every machine of the service, by name."""
