"""In which state the daemon is, and whether this master has the say in it."""

from __future__ import annotations

import dataclasses
from typing import Literal

State = Literal["starting", "running", "reloading", "upgrading", "taking over", "leaving", "stopping"]


@dataclasses.dataclass(slots=True)
class Standing:
    """Shared by the master and what acts for it; written where the state changes.

    Attributes:
        state: as `status` shows it. `taking over`: ready, and waiting for the old master's word. `leaving`: another
            master has the charge, and this one's workers hand their connections over.
        in_charge: whether pidfile, control socket and unix sockets' paths are this master's.
    """

    state: State
    in_charge: bool
