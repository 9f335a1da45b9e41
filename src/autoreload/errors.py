"""What ends autoreload on purpose: errors that a person can mend, and the exit codes."""

from __future__ import annotations

EXIT_OK = 0
"""After Ctrl-C, SIGTERM or SIGHUP."""
EXIT_FAILED = 1
"""autoreload itself failed."""
EXIT_USAGE = 2
"""The call, the configuration or the platform is not right."""


class UserError(Exception):
    """Something that whoever called autoreload can mend: `what` is wrong, and the `remedy`."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}" if self.remedy else self.what
