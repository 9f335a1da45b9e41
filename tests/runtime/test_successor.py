"""A program that executes another in its own place: the chain of snapshots goes on below what is there."""

from __future__ import annotations

import signal

import pytest

from tests.runtime.stage import Stage, cold

SLOW = "import time\ntime.sleep(0.16)  # so that a snapshot is due\n"
APP = """
import os, sys
ours = sorted(name for name in os.environ if "PYTHON" in name or "AUTORELOAD" in name)
print(ours, sys.path, os.environ.get("A"), flush=True)
import slow, leaf
print("up", leaf.value, flush=True)
"""
NAMED = "folder, name = os.path.split(sys.executable)\nos.environ['PATH'] = folder\n"
WAYS = {
    "execv": "os.execv(sys.executable, [sys.executable, 'app.py'])",
    "execve": "os.execve(sys.executable, [sys.executable, 'app.py'], {**os.environ, 'A': '1'})",
    "execve by names": "os.execve(path=sys.executable, argv=[sys.executable, 'app.py'], env=dict(os.environ))",
    "execve of bytes": "os.execve(sys.executable, [sys.executable, 'app.py'], {**os.environb, b'PYTHONPATH': b'x:y'})",
    "execvp": f"{NAMED}os.execvp(name, [name, 'app.py'])",
    "execlpe": f"{NAMED}os.execlpe(name, name, 'app.py', {{**os.environ, 'A': '1', 'PYTHONPATH': ''}})",
    "a shell that executes": "os.execv('/bin/sh', ['sh', '-c', 'A=2; exec ' + sys.executable + ' app.py'])",
    "env": "os.execvp('env', ['env', 'A=3', sys.executable, 'app.py'])",
}


def write(program: Stage, how: str) -> None:
    """A wrapper that has snapshots of its own, and what it executes."""
    program.write("slow.py", SLOW)
    program.write("slower.py", SLOW)
    program.write("leaf.py", "value = 1\n")
    program.write("app.py", APP)
    program.write("wrapper.py", f"import os, sys\nimport slower, other\nprint('wrapper', flush=True)\n{how}\n")
    program.write("other.py", "")


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_what_it_executes_goes_on_with_the_chain(program: Stage, python: str, way: str) -> None:
    """It finds itself as in a cold start, and is resumed without the wrapper."""
    write(program, WAYS[way])
    program.start("wrapper.py", python=python)
    assert program.ended() == 0
    assert [s.facts["kind"] for s in program.chain()] == ["root", "before", "root", "before"]
    assert [s.facts["depth"] for s in program.chain()] == [0, 1, 2, 3]
    assert program.last_words() == cold(program.folder, ["wrapper.py"], python)

    program.write("leaf.py", "value = 2\n")
    program.forget_output()
    program.resume(program.before("leaf.py"))
    assert program.ended() == 0
    assert program.last_words() == ["up 2"]


@pytest.mark.slow
def test_what_the_wrapper_used_since_its_last_snapshot_is_told(program: Stage) -> None:
    """A change of that is none for a snapshot of the successor."""
    write(program, WAYS["execv"])
    program.start("wrapper.py")
    program.ended()

    used = [{path.rpartition("/")[2] for path, _ in s.facts["used"]} for s in program.chain()]

    assert "slower.py" in used[1]
    assert "other.py" in used[2]
    assert not {"slow.py", "leaf.py"} & (used[0] | used[1] | used[2])


@pytest.mark.slow
def test_a_snapshot_of_the_wrapper_executes_it_again(program: Stage) -> None:
    """With all that comes after, and what was below it is gone."""
    write(program, WAYS["execv"])
    program.start("wrapper.py")
    program.ended()
    program.write("leaf.py", "value = 2\n")
    program.forget_output()

    program.resume(program.before("other.py"))
    assert program.ended() == 0

    assert program.last_words()[0] == "wrapper"
    assert program.last_words()[-1] == "up 2"
    assert [s.facts["depth"] for s in program.chain()] == [0, 1, 2, 3]


@pytest.mark.slow
def test_a_stop_signal_reaches_the_successor(program: Stage) -> None:
    """Through all the snapshots above it."""
    program.write("app.py", "import signal\nprint('up', flush=True)\nsignal.pause()\n")
    program.write("wrapper.py", f"import os, sys\n{WAYS['execv']}\n")
    program.start("wrapper.py")
    program.wait_for("up")
    program.wait_for_snapshots(2)

    program.process.send_signal(signal.SIGTERM)

    assert program.process.wait() == -signal.SIGTERM
    program.nothing_left()


REFUSED = {
    "other programs ran before Python did": "os.execv('/bin/sh', ['sh', '-c', 'ls >&2; exec python3 app.py'])",
    "another program started Python": "os.execv('/bin/sh', ['sh', '-c', 'python3 app.py; true'])",
}


@pytest.mark.slow
@pytest.mark.parametrize("why", REFUSED)
def test_a_successor_is_left_alone_where_the_first_would_be(program: Stage, why: str) -> None:
    """What a shell ran before would not be run again."""
    write(program, REFUSED[why])
    program.start("wrapper.py")

    assert program.ended() == 0

    assert len(program.chain()) == 2
    assert ("refused", why, "") in program.notes


COLD = {
    "it fails": "try:\n    os.execv('nowhere', ['x'])\nexcept OSError as error:\n    print(error)\n",
    "it is called wrongly": "try:\n    os.execve('x', ['x'], 5)\nexcept TypeError as error:\n    print(error)\n",
    "the environment is full": """
import subprocess
for size in 32000, 400:
    try:
        while True:
            os.environ[f"X{len(os.environ)}"] = "x" * size
            subprocess.run(["true"])
    except OSError:
        del os.environ[f"X{len(os.environ) - 1}"]
os.execvp("env", ["env", "-i", "echo", "there is room for that"])
""",
    "a child does it": """
child = os.fork()
if not child:
    os.execvp("sh", ["sh", "-c", "echo [$PYTHONPATH $AUTORELOAD_RUNTIME]"])
os.waitpid(child, 0)
""",
    "a thread of a child does it": """
import threading
child = os.fork()
if not child:
    threading.Thread(target=os.execvp, args=("env", ["env", "-u", "MARK"])).start()
    threading.Event().wait()
os.waitpid(child, 0)
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", COLD)
def test_nothing_is_noticed_where(program: Stage, python: str, what: str) -> None:
    """Errors and environments are those of a cold start."""
    environ = "print(sorted(os.environ), os.popen('env | grep -e ^PYTHON -e ^AUTORELOAD').read())\n"
    write(program, f"{environ}{COLD[what]}\n{environ}")
    program.start("wrapper.py", python=python)

    assert program.ended() == 0

    lines = [line for line in program.last_words() if not line.startswith("MARK")]
    assert [line.replace("'MARK', ", "") for line in lines] == cold(program.folder, ["wrapper.py"], python)
