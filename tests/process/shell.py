"""A stand-in for a shell: runs `COMMAND ARG...` as the foreground job of the terminal that it leads the session of.

    python shell.py jobs|background|script COMMAND ARG...

With `jobs` it has job control, as an interactive shell; with `background` too, and the job is in the background until
a line is typed. It says DONE with the wait status when the job has ended.
"""

from __future__ import annotations

import os
import signal
import sys


def say(text: str) -> None:
    """A line that no line of the job begins with."""
    os.write(1, f"SHELL {text}\n".encode())


def main() -> None:
    """Run the job."""
    background = sys.argv[1] == "background"
    job_control = sys.argv[1] != "script"
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    job = os.fork()
    if not job:
        if job_control:
            os.setpgid(0, 0)
            if not background:
                os.tcsetpgrp(0, os.getpid())
        for number in (signal.SIGTTOU, signal.SIGINT, signal.SIGTSTP):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(sys.argv[2], sys.argv[2:])
    if background:
        os.read(0, 100)  # "fg"
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)
        say("CONTINUED")
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        os.tcsetpgrp(0, os.getpgrp())
        say("STOPPED")
        os.read(0, 100)  # "fg"
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)
    if job_control:
        os.tcsetpgrp(0, os.getpgrp())
    say(f"DONE {os.waitstatus_to_exitcode(status)}")
    os.read(0, 100)  # until the test has looked at the terminal


if __name__ == "__main__":
    main()
