"""A frozen snapshot: transparent for signals, ends what it is told to end, never stays behind."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from autoreload.runtime.protocol import encode
from tests.e2e.tool import later
from tests.runtime.stage import Snapshot, Stage
from tests.support import eventually, state, survivors

SLOW = "import time\ntime.sleep(0.16)\n"
# Its imports are in a function, so it is not run in steps.
APP = """
def main():
    global signal, sys, time
    import slow1, one, slow2, two, signal, sys, time
    exec({extra!r}, globals())
    print("up", one.value, two.value, flush=True)
    time.sleep(60)
main()
"""


@pytest.fixture
def chain(program: Stage) -> list[Snapshot]:
    """Three snapshots: the first, before `one`, before `two`."""
    return run(program)


def run(program: Stage, extra: str = "") -> list[Snapshot]:
    """Start that program, with something done before it is up."""
    for name in ("slow1", "slow2"):
        program.write(f"{name}.py", SLOW)
    for name in ("one", "two"):
        program.write(f"{name}.py", "value = 1\n")
    program.write("app.py", APP.format(extra=extra))
    program.start("app.py")
    program.wait_for("up 1 1")
    found = program.wait_for_snapshots(3)
    assert [os.path.basename(snapshot.facts["path"]) for snapshot in found] == ["", "one.py", "two.py"]
    return found


def pid(snapshot: Snapshot) -> int:
    """Of the snapshot."""
    return int(snapshot.facts["pid"])


def child(snapshot: Snapshot) -> int:
    """Of what goes on as the program."""
    return int(snapshot.facts["child"])


def test_a_signal_to_the_command_reaches_the_program(program: Stage) -> None:
    """Whoever started it knows only the first process."""
    run(program, "signal.signal(signal.SIGUSR1, lambda *_: print('handled', flush=True))")

    os.kill(program.process.pid, signal.SIGUSR1)

    program.wait_for("handled")


def test_the_command_ends_as_the_program_does(program: Stage) -> None:
    """After a signal that asked for it: with its code."""
    run(program, "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))")

    os.kill(program.process.pid, signal.SIGTERM)

    assert program.process.wait(10) == 7
    program.nothing_left()


def test_the_command_dies_of_what_the_program_dies_of(program: Stage, chain: list[Snapshot]) -> None:
    """As a shell would tell it."""
    os.kill(program.process.pid, signal.SIGTERM)

    assert program.process.wait(10) == -signal.SIGTERM
    program.nothing_left()


def test_a_stopped_program_can_still_be_ended(program: Stage, chain: list[Snapshot]) -> None:
    """It cannot handle a signal before it is continued."""
    os.kill(child(chain[-1]), signal.SIGSTOP)
    eventually(lambda: state(child(chain[-1])) == "T")

    os.kill(program.process.pid, signal.SIGTERM)

    assert program.process.wait(10) == -signal.SIGTERM


def test_the_end_of_the_program_is_told_and_the_snapshots_stay(program: Stage, chain: list[Snapshot]) -> None:
    """They can be resumed after a crash."""
    os.kill(child(chain[-1]), signal.SIGKILL)

    assert program.answer(chain[-1], "exited") == ("exited", signal.SIGKILL)
    program.write("two.py", "value = 2\n")
    program.resume(chain[-1])
    program.wait_for("up 1 2")


def test_all_ends_with_the_tool(program: Stage, chain: list[Snapshot]) -> None:
    """Killed, together with the guard: the snapshots are the last who can see to it."""
    for snapshot in chain:
        snapshot.socket.close()
    program.snapshots.clear()

    program.process.wait(10)
    program.nothing_left()


@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_whatever_is_killed_the_rest_ends_with_the_tool(program: Stage, chain: list[Snapshot], which: int) -> None:
    """Each process of the chain, by SIGKILL."""
    victims = [pid(snapshot) for snapshot in chain] + [child(chain[-1])]
    os.kill(victims[which], signal.SIGKILL)
    eventually(lambda: state(victims[which]) in ("", "Z"))

    for snapshot in chain:
        snapshot.socket.close()
    program.snapshots.clear()

    program.process.wait(10)
    program.nothing_left()


def test_what_a_killed_snapshot_leaves_belongs_to_the_one_above(program: Stage, chain: list[Snapshot]) -> None:
    """Which still ends all of it, and can be resumed."""
    os.kill(pid(chain[2]), signal.SIGKILL)
    program.answer(chain[1], "exited")

    chain[1].send("stop", 5, int(signal.SIGTERM), 5.0, False)
    program.answer(chain[1], "emptied")

    assert sorted(survivors(program.mark)) == sorted([pid(chain[0]), pid(chain[1])])
    program.resume(chain[1])
    program.wait_for("up 1 1", times=2)


def test_a_stop_is_answered_when_nothing_of_the_program_is_left(program: Stage) -> None:
    """Also what has detached itself from it."""
    daemon = "import subprocess\nsubprocess.run(['sh', '-c', 'trap \"\" TERM; setsid sleep 60 & sleep 60 &'])"
    chain = run(program, daemon)
    eventually(lambda: len(survivors(program.mark)) == 6, what="the daemons")

    answer = program.stop(grace=0.3)

    assert answer[2] == 2  # those that ignore SIGTERM
    assert sorted(survivors(program.mark)) == sorted(map(pid, chain))


def test_a_program_has_its_grace_to_end(program: Stage) -> None:
    """What it does at its end is done; no one is killed."""
    run(program, "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('cleaned up', flush=True)))")

    assert program.stop()[2] == 0
    assert "cleaned up" in program.last_words()


def test_a_stop_can_be_cut_short(program: Stage) -> None:
    """By a second Ctrl-C."""
    chain = run(program, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)")

    chain[-1].send("stop", 1, int(signal.SIGTERM), 60.0, False)
    chain[-1].send("kill")

    assert program.answer(chain[-1], "emptied")[2] == 1


def test_resuming_ends_all_snapshots_that_are_newer(program: Stage, chain: list[Snapshot]) -> None:
    """One that has used the changed file cannot serve any more."""
    program.write("one.py", "value = 2\n")
    program.stop()

    running = program.resume(chain[1])
    program.wait_for("up 2 1")

    resumed = program.wait_for_snapshots(3)
    assert chain[2] not in resumed
    assert sorted(survivors(program.mark)) == sorted([*map(pid, resumed), child(resumed[-1])])
    assert pid(resumed[-1]) == running


def test_a_snapshot_is_dropped_from_the_middle(program: Stage, chain: list[Snapshot]) -> None:
    """What was below it goes on below the one above."""
    chain[0].send("heir", pid(chain[2]))
    program.answer(chain[0], "heir")
    chain[1].send("drop")
    eventually(lambda: chain[1] not in program.wait_for_snapshots(2))

    os.kill(program.process.pid, signal.SIGUSR2)  # ends the program: it has no handler

    assert program.answer(chain[2], "exited") == ("exited", signal.SIGUSR2)
    program.resume(chain[2])
    program.wait_for("up 1 1", times=2)
    program.stop()
    program.resume(chain[0])
    program.wait_for("up 1 1", times=3)


def test_a_snapshot_is_idle(program: Stage, chain: list[Snapshot]) -> None:
    """It waits for nothing that comes by itself, whatever timers the program has."""
    before = [Path(f"/proc/{pid(snapshot)}/stat").read_text().split()[13:15] for snapshot in chain]
    switches = [waits(snapshot) for snapshot in chain]

    later(0.5)

    assert [waits(snapshot) for snapshot in chain] == switches
    assert [Path(f"/proc/{pid(snapshot)}/stat").read_text().split()[13:15] for snapshot in chain] == before


def waits(snapshot: Snapshot) -> str:
    """How often it has waited for something."""
    lines = Path(f"/proc/{pid(snapshot)}/status").read_text().splitlines()
    return next(line for line in lines if line.startswith("voluntary_ctxt_switches"))


def test_a_timer_does_not_wake_a_snapshot(program: Stage) -> None:
    """It goes on in the program alone."""
    slow = """
import signal, time
signal.signal(signal.SIGALRM, lambda *_: print("tick", flush=True))
signal.setitimer(signal.ITIMER_REAL, 0.2, 0.05)
time.sleep(0.16)
"""
    program.write("slow.py", slow)
    program.write("one.py", "")
    program.write("app.py", "import slow, one, time\ntime.sleep(60)\n")
    program.start("app.py")
    program.wait_for("tick", times=3)
    snapshot = program.wait_for_snapshots(2)[1]
    before = waits(snapshot)

    program.wait_for("tick", times=6)

    assert waits(snapshot) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
def test_nobody_else_can_talk_to_a_snapshot(program: Stage, chain: list[Snapshot]) -> None:
    """Everybody can see where it listens."""
    addresses = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if "line-" in line]
    for address in addresses:
        os.seteuid(65534)
        try:
            with socket.socket(socket.AF_UNIX) as stranger:
                stranger.connect("\0" + address[1:])
                stranger.sendall(encode(("signal", int(signal.SIGKILL))))
                assert stranger.recv(1) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass  # closed before it could say anything
        except ConnectionRefusedError:
            pass  # that of another test, which has ended
        finally:
            os.seteuid(0)

    assert all(state(process) in ("S", "R") for process in [*map(pid, chain), child(chain[-1])])


def test_in_a_terminal_the_program_alone_hears_ctrl_c(program: Stage) -> None:
    """The snapshots are in its process group, and let it pass: each would hand on one more."""
    for name in ("slow", "one"):
        program.write(f"{name}.py", SLOW if name == "slow" else "")
    program.write(
        "app.py",
        "import slow, one, time, signal\ncount = []\nsignal.signal(signal.SIGINT, lambda *_: count.append(1))\n"
        "print('up', flush=True)\ntime.sleep(0.6)\nprint('heard', len(count), flush=True)\ntime.sleep(60)\n",
    )
    primary, secondary = os.openpty()
    program.start("app.py", stdin=secondary, start_new_session=True, preexec_fn=lambda: take_terminal(0))
    os.close(secondary)
    program.wait_for("up")

    os.write(primary, b"\x03")

    program.wait_for("heard 1")
    os.close(primary)


def take_terminal(fd: int) -> None:
    """Make it the controlling one."""
    import fcntl
    import termios

    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
