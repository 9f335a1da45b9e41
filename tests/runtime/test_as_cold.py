"""What a resumed program finds is what a program started now would find: each case is compared with a cold start."""

from __future__ import annotations

import pytest

from tests.runtime.stage import Stage, cold

SLOW = "import time\ntime.sleep(0.16)  # so that a snapshot is due\n"
CASES = {
    "a seeded random": ("import random\nrandom.seed(42)\nrandom.random()", "print(random.random())"),
    "a generator of its own": ("import random\nown = random.Random(7)\nown.random()", "print(own.random())"),
    "a handler of a signal": (
        "import os, signal\nsignal.signal(signal.SIGUSR1, lambda *_: print('handled'))",
        "os.kill(os.getpid(), signal.SIGUSR1)\nprint(signal.getsignal(signal.SIGINT))",
    ),
    "blocked signals": (
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})",
        "print(sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))))",
    ),
    "a timer": (
        "import signal\nsignal.signal(signal.SIGALRM, lambda *_: print('alarm'))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.4, 0)",
        "print(signal.sigwait([signal.SIGALRM]) if False else signal.pause())",
    ),
    "what is done at the exit": ("import atexit\natexit.register(print, 'bye')", "print('ends')"),
    "a thread later": (
        "import threading\nlock = threading.Lock()",
        "t = threading.Thread(target=lambda: print('in it', lock.locked()))\nt.start()\nt.join()\n"
        "print(threading.active_count(), threading.main_thread() is threading.current_thread())",
    ),
    "a pool of threads that was made before": (
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)",
        "print(pool.submit(sum, [1, 2]).result())",
    ),
    "processes": (
        "import multiprocessing\ncontext = multiprocessing.get_context('fork')",
        "with context.Pool(1) as pool:\n    print(pool.map(abs, [-1]))\nprint(context.parent_process()"
        " if hasattr(context, 'parent_process') else None)",
    ),
    "a child": (
        "import subprocess, sys",
        "print(subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True).stdout)",
    ),
    "no child": (
        "import os",
        "try:\n    print(os.waitpid(-1, os.WNOHANG))\nexcept ChildProcessError as error:\n    print(error)",
    ),
    "who it is": (
        "import os, threading",
        "print(os.getpid() == threading.get_native_id() == int(os.readlink('/proc/self')))",
    ),
    "open descriptors": ("import os", "print(sorted(os.listdir('/proc/self/fd')))"),
    "the folder and the environment": (
        "import os\nos.makedirs('sub', exist_ok=True)\nos.chdir('sub')\nos.environ['NEW'] = '1'",
        "print(os.getcwd(), os.environ['NEW'], os.environ.get('PYTHONPATH'))",
    ),
    "a log": (
        "import logging\nlogging.basicConfig(filename='log', format='%(message)s')\nlogging.warning('before')",
        "logging.warning('after')\nprint(open('log').read().splitlines()[-1])",
    ),
    "an event loop later": ("import asyncio", "print(asyncio.run(asyncio.sleep(0.01, 'slept')))"),
    "an event loop that has ended": (
        "import asyncio\nasyncio.run(asyncio.sleep(0))",
        "print(asyncio.run(asyncio.sleep(0.01, 'slept')))",
    ),
    "the arithmetic of decimals": (
        "import decimal\ndecimal.getcontext().prec = 5",
        "print(decimal.Decimal(1) / 3)",
    ),
    "a variable of the context": (
        "import contextvars\nv = contextvars.ContextVar('v')\nv.set(3)",
        "print(v.get(), contextvars.copy_context().run(v.get))",
    ),
    "warnings": (
        "import warnings\nwarnings.simplefilter('error', UserWarning)",
        "try:\n    warnings.warn('w')\nexcept UserWarning as error:\n    print(repr(error))\n"
        "print(len(warnings.filters))",
    ),
    "the clock": ("import time\nbegan = time.monotonic()", "print(time.monotonic() > began + 0.15)"),
    "what finds modules": ("import sys", "print([getattr(f, '__name__', '') for f in sys.meta_path][-3:])"),
    "open": (
        "import io, os\nclass C:\n    open = open\n",
        "print(open is io.open, open.__name__, open.__module__, repr(open), C().open('leaf.py').read())\n"
        "print(os.open in os.supports_dir_fd, os.open.__name__, callable(open), open.__doc__ == io.open.__doc__)\n"
        "import copy, pickle\nprint(copy.deepcopy(open) is open, pickle.loads(pickle.dumps(open)) is open)",
    ),
    "an error of open": ("", "try:\n    open('nowhere')\nexcept OSError as error:\n    print(repr(error))"),
    "a tree that is removed": (
        "import os, shutil",
        "os.makedirs('t/u')\nprint(shutil.rmtree.avoids_symlink_attacks)\nshutil.rmtree('t')\nprint(os.path.exists('t'))",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_resumed_program_finds(program: Stage, python: str, case: str) -> None:
    """So does the one that was started first, though it was forked too."""
    before, after = CASES[case]
    program.write("slow.py", SLOW)
    program.write("leaf.py", "value = 1\n")
    program.write("app.py", f"{before}\nimport slow, leaf\nprint(leaf.value)\n{after}\nprint('done', flush=True)\n")

    program.start("app.py", python=python)
    assert program.ended() == 0
    assert program.last_words() == expected(program, python)

    program.write("leaf.py", "value = 2\n")
    program.forget_output()
    program.resume(program.before("leaf.py"))

    assert program.ended() == 0
    assert program.last_words() == expected(program, python)


def expected(program: Stage, python: str) -> list[str]:
    """What a cold start writes now."""
    return cold(program.folder, ["app.py"], python)
