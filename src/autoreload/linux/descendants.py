"""Who is below a process: /proc/PID/task/TID/children, with what to do where that is missing. See proc(5).

Loaded by the guard too; see libc.py for what that forbids.
"""

from _thread import allocate_lock, get_native_id, start_new_thread
from posix import (
    O_CLOEXEC,
    O_RDONLY,
    P_PID,
    WEXITED,
    WNOHANG,
    WNOWAIT,
    WSTOPPED,
    close,
    getpid,
    listdir,
    open,
    read,
    readlink,
    stat,
    waitid,
)

PROC = "/proc"
PID_MAX = 1 << 22
"""PID_MAX_LIMIT of 64-bit kernels."""


class NoProc(Exception):
    """There is no /proc, or it is that of another PID namespace: the numbers in it are not ours."""


def own_children() -> list[int]:
    """Pids of all children of this process, zombies too.

    The kernel may skip one while others come and go: who must know that none is left asks waitpid(2).
    """
    try:
        return children("self")
    except OSError:
        pass  # no CONFIG_PROC_CHILDREN, or no descriptor left
    except NoProc:
        return _asked()
    try:
        return [pid for pid, (_, parent, _) in everybody().items() if parent == getpid()]
    except (OSError, NoProc):
        return _asked()


def is_stopped(pid: int) -> bool:
    """Has this child been stopped (SIGSTOP, Ctrl-Z)? Needs no /proc."""
    try:
        return waitid(P_PID, pid, WSTOPPED | WNOHANG | WNOWAIT) is not None
    except ChildProcessError:
        return state(pid) == "T"


def state(pid: int) -> str:
    """`R`, `S`, `D`, `T`, `Z` ...; empty if nobody knows."""
    try:
        return process(pid)[0]
    except (OSError, NoProc):
        return ""


def process(pid: int) -> tuple[str, int, int]:
    """(state, parent, start time) of a process. The start time (clock ticks since boot) tells it from a later one with
    the same pid. OSError: there is none."""
    try:
        # The name may hold blanks and parentheses: the fields begin after the last one.
        fields = _content(f"{PROC}/{pid}/stat").rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[1]), int(fields[19])
    except IndexError:
        raise ProcessLookupError(f"{PROC}/{pid}/stat is empty") from None


def everybody() -> dict[int, tuple[str, int, int]]:
    """`process` of each pid that can be seen."""
    _check_proc()
    found = {}
    for name in listdir(PROC):
        if name.isdigit():
            try:
                found[int(name)] = process(int(name))
            except OSError:
                pass  # gone meanwhile
    return found


def below(roots: list[int]) -> dict[int, int]:
    """Pid to start time of the processes `roots` and all that is below them now. Empty without /proc."""
    try:
        found = everybody()
    except (OSError, NoProc):
        return {}
    children: dict[int, list[int]] = {}
    for pid, (_, parent, _) in found.items():
        children.setdefault(parent, []).append(pid)
    family, todo = {}, [pid for pid in roots if pid in found]
    while todo:
        pid = todo.pop()
        if pid not in family:
            family[pid] = found[pid][2]
            todo += children.get(pid, [])
    return family


def name(pid: int) -> str:
    """The name of a process, `?` if nobody knows."""
    try:
        return _content(f"{PROC}/{pid}/comm").decode(errors="replace").strip() or "?"
    except OSError:
        return "?"


def owner(pid: int) -> int:
    """The (effective) user id of a process, -1 if nobody knows."""
    try:
        return stat(f"{PROC}/{pid}").st_uid
    except OSError:
        return -1


def _check_proc() -> None:
    try:
        ours = readlink(f"{PROC}/self") == str(getpid())
    except OSError:
        ours = False
    if not ours:
        raise NoProc


def children(pid: int | str) -> list[int]:
    """Pids of the children of a process, by the kernel's own lists, one for each of its threads. OSError: there is no
    such process, or no list. NoProc."""
    _check_proc()
    threads = f"{PROC}/{pid}/task"
    found: list[int] = []
    for thread in listdir(threads):
        found += map(int, _content(f"{threads}/{thread}/children").split())
    return found


def _asked() -> list[int]:
    """By asking for each pid whether it is a child of ours: only those given out since we were born can be."""
    newest, oldest = _newest_pid(), getpid()
    # Pids go round; where they have, all above ours and all below the newest come into question.
    spans = [range(oldest + 1, newest)] if newest > oldest else [range(oldest + 1, PID_MAX), range(2, newest)]
    found = []
    for span in spans:
        for pid in span:
            try:
                waitid(P_PID, pid, WEXITED | WNOHANG | WNOWAIT)
            except ChildProcessError:
                continue
            found.append(pid)
    return found


def _newest_pid() -> int:
    """The pid given out last: that of a thread made for this, for which the same numbers are used and whose end, other
    than a child's, sends no SIGCHLD."""
    found = []
    done = allocate_lock()
    done.acquire()

    def tell() -> None:
        found.append(get_native_id())
        done.release()

    try:
        start_new_thread(tell, ())
    except RuntimeError:
        return PID_MAX  # no process more is permitted
    done.acquire()
    return found[0]


def _content(path: str) -> bytes:
    fd = open(path, O_RDONLY | O_CLOEXEC)
    try:
        parts = []
        while part := read(fd, 1 << 16):
            parts.append(part)
    finally:
        close(fd)
    return b"".join(parts)
