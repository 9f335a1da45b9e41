"""What the snapshots have to know, and the runtime is told at a cold start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

SPACING = 1.0


class Terms(NamedTuple):
    """What the snapshots have to know, and what they depend on."""

    signal: int
    """That asks the command to end."""
    roots: tuple[str, ...]
    directory: str
    """Where the command starts."""
    strict: bool
    """The command is a shell script: what it ran before Python would not be run again."""
    spacing: float = SPACING
    """Seconds of the program's work between two snapshots; fewer if that is worth it."""
    memory: int | None = None
    """Bytes that the snapshots may take; None: a share of what is free."""

    def told(self, address: bytes, hot: Mapping[str, int]) -> dict[str, Any]:
        """The same for the runtime. `address`: where the tool listens. `hot`: files edited of late, and where."""
        return {
            "address": address,
            "signal": int(self.signal),
            "roots": list(self.roots),
            "strict": self.strict,
            "user": os.geteuid(),
            "spacing": self.spacing,
            "hot": dict(hot),
        }
