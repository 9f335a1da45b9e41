"""Where the backend on inotify is with looking at everything again."""

from __future__ import annotations


class Rescue:
    """Looking at everything, because events were lost."""

    __slots__ = ("again", "began", "resume_at", "rounds", "since")

    def __init__(self, since: int) -> None:
        self.since = since
        self.rounds = 0
        self.began = 0
        self.again = False
        self.resume_at = 0.0
