"""Execute a command that may not become a subreaper: `python denied.py COMMAND ARG...`.

A seccomp(2) filter answers prctl(PR_SET_CHILD_SUBREAPER) with EPERM, as some container runtimes do.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

PRCTL = {"x86_64": 157, "aarch64": 167, "riscv64": 167, "i686": 172, "armv7l": 172}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER = 38, 22, 36
SECCOMP_MODE_FILTER = 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
"""BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K."""
ALLOW, EPERM = 0x7FFF0000, 0x00050001
NUMBER, FIRST_ARGUMENT = 0, 16
"""Offsets in struct seccomp_data (little-endian)."""


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def main() -> None:
    """Deny it, then execute."""
    steps = [
        (LOAD, 0, 0, NUMBER),
        (EQUAL, 0, 3, PRCTL[platform.machine()]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (EQUAL, 0, 1, PR_SET_CHILD_SUBREAPER),
        (RETURN, 0, 0, EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    program = Program(len(steps), code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)
    ):
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
