"""prctl(2): be the one who inherits orphans."""

from autoreload.linux.libc import ULong, checked, function

PR_SET_CHILD_SUBREAPER = 36
"""Linux 3.4; <linux/prctl.h>. Kept by exec, not handed on by fork."""


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
