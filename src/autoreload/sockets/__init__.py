"""Sockets that outlive restarts: made or held here, passed to the command, answered where there is none."""

from __future__ import annotations


class NoSockets:
    """What stands for a `holder.Holder` where nothing is held."""

    why_unseen = 0
    keeps = False
    has_failed = False
    shown: tuple[str, ...] = ()

    def fileno(self) -> int:
        """Nothing is to be heard."""
        return -1

    def deadline(self) -> float | None:
        """Nor is there anything to do."""
        return None

    def work(self, now: float) -> None:
        """As it says."""

    def answer_for_workers(self, failure: object, tree: object, now: float) -> None:
        """Nobody asks."""

    def imported(self, path: str) -> bool | None:
        """Nobody knows."""
        return None

    def starting(self) -> None:
        """Nobody waits for it."""

    def started(self, now: float) -> None:
        """Nobody looks when it serves."""

    def serves(self, tree: object, now: float) -> float | None:
        """Nobody knows."""
        return None

    def stopping(self, tree: object, grace: float) -> None:
        """At once."""

    def retiring(self, tree: object, grace: float) -> None:
        """At once."""

    def is_drained(self, now: float) -> bool:
        """There is nobody to be answered."""
        return True
