"""Runs a command to which the kernel denies some system calls, as containers do: seccomp(2).

    python tests/denied.py 'inotify_init1=ENOSYS' 'prctl(36)=EINVAL' -- COMMAND ARG...

A number in parentheses: only with this first argument. The filter stays for all that the command starts.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
import struct
import sys
from typing import NamedTuple

NUMBERS = {
    "x86_64": {
        "inotify_init1": 294,
        "inotify_add_watch": 254,
        "fanotify_init": 300,
        "kill": 62,
        "pidfd_open": 434,
        "pidfd_send_signal": 424,
        "prctl": 157,
        "signalfd4": 289,
    },
    "aarch64": {
        "inotify_init1": 26,
        "inotify_add_watch": 27,
        "fanotify_init": 262,
        "kill": 129,
        "pidfd_open": 434,
        "pidfd_send_signal": 424,
        "prctl": 167,
        "signalfd4": 74,
    },
}
"""asm/unistd.h"""
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_*, linux/audit.h"""

LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
"""BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K: linux/bpf_common.h"""
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
"""Offsets in struct seccomp_data; of the argument the lower half (both machines are little-endian)."""
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38


class Rule(NamedTuple):
    """A system call to be denied."""

    name: str
    argument: int | None
    code: int
    """The errno that it fails with."""

    @classmethod
    def parse(cls, text: str) -> Rule:
        """From `name=ENOSYS` or `name(argument)=ENOSYS`."""
        found = re.fullmatch(r"(\w+?)(?:\((\d+)\))?=(E\w+)", text)
        if found is None:
            raise ValueError(f"not a rule: {text!r}")
        name, argument, code = found.groups()
        return cls(name, int(argument) if argument else None, getattr(errno, code))


def supported() -> bool:
    """Are the numbers of this machine known?"""
    return platform.machine() in NUMBERS


def program(rules: list[Rule], machine: str) -> list[bytes]:
    """The filter, as struct sock_filter each."""

    def code(what: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("=HBBI", what, if_true, if_false, value)

    lines = [code(LOAD, ARCHITECTURE), code(EQUAL, ARCHITECTURES[machine], 1, 0), code(RETURN, ALLOW)]
    for rule in rules:
        deny = [code(RETURN, ERRNO | rule.code)]
        if rule.argument is not None:
            deny = [code(LOAD, FIRST_ARGUMENT), code(EQUAL, rule.argument, 0, 1), *deny]
        lines += [code(LOAD, NUMBER), code(EQUAL, NUMBERS[machine][rule.name], 0, len(deny)), *deny]
    return [*lines, code(RETURN, ALLOW)]


def deny(rules: list[Rule]) -> None:
    """From here on, for this process and all that it starts."""
    lines = program(rules, platform.machine())
    text = ctypes.create_string_buffer(b"".join(lines))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(lines), ctypes.addressof(text)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    zero = ctypes.c_ulong(0)
    for what, one, two in [
        (PR_SET_NO_NEW_PRIVS, 1, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(header)),
    ]:
        if prctl(what, ctypes.c_ulong(one), ctypes.c_ulong(two), zero, zero) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def command(*rules: str) -> list[str]:
    """What to put before the words of a command, so that it is denied these."""
    return [sys.executable, os.path.abspath(__file__), *rules, "--"]


def main() -> None:
    """Deny, then become the command."""
    split = sys.argv.index("--")
    deny([Rule.parse(text) for text in sys.argv[1:split]])
    os.execvp(sys.argv[split + 1], sys.argv[split + 1 :])


if __name__ == "__main__":
    main()
