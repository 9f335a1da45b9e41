"""prctl(2): be the one who inherits orphans; die with the parent."""

from autoreload.linux.libc import ULong, checked, function

PR_SET_CHILD_SUBREAPER = 36
"""Linux 3.4; <linux/prctl.h>. Kept by exec, not handed on by fork."""

PR_SET_PDEATHSIG = 1
"""Linux 2.1.57; cleared by fork."""
_SIGKILL = 9


def die_with_parent() -> None:
    """Get SIGKILL when the parent dies (the thread of it that made this process). It may be dead already."""
    zero = ULong(0)
    try:
        checked(function("prctl")(PR_SET_PDEATHSIG, ULong(_SIGKILL), zero, zero, zero))
    except OSError:
        pass


def become_subreaper() -> bool:
    """Make every descendant whose parent dies a child of this process. False: it is not permitted here (seccomp)."""
    prctl = function("prctl")
    # Variadic, and it takes unsigned longs: a plain int may come with garbage in the upper half of its register.
    zero = ULong(0)
    try:
        checked(prctl(PR_SET_CHILD_SUBREAPER, ULong(1), zero, zero, zero))
    except OSError:
        return False
    return True
