"""What is known of a rescue: looking at everything, because events were lost."""

from __future__ import annotations


class Rescue:
    """It goes on in rounds, until none were lost meanwhile."""

    __slots__ = ("again", "began", "resume_at", "rounds", "since")

    def __init__(self, since: int) -> None:
        self.since = since
        self.rounds = 0
        self.began = 0
        self.again = False
        self.resume_at = 0.0
