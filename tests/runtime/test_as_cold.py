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
    "a file that is read on": (
        "open('lines', 'w').write('1\\n2\\n3\\n')\nimport os\nf = open('lines', buffering=1)\n"
        "low = os.open('lines', 0)\nprint(os.read(low, 2))",
        "print(f.read(), os.read(low, 9))",
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


WHOLE = {
    "an event loop that imports it": """
import asyncio, os, signal, threading
async def main():
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, heard.set)
    reader, writer = os.pipe()
    os.close(writer)
    loop.add_reader(reader, lambda: (print("readable"), loop.remove_reader(reader)))
    later = loop.create_task(asyncio.sleep(0.2, "slept"))
    import slow, leaf
    print(leaf.value, asyncio.get_running_loop() is loop, asyncio.current_task() is not None)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(heard.wait(), 5)
    threading.Thread(target=lambda: loop.call_soon_threadsafe(heard.set)).start()
    heard.clear()
    await asyncio.wait_for(heard.wait(), 5)
    print(await later, len(os.listdir("/proc/self/fd")))
asyncio.run(main())
print(asyncio.run(asyncio.sleep(0.01, "again")))
""",
    "a server that an event loop starts later": """
import asyncio, socket
async def handle(reader, writer):
    writer.write(await reader.readline())
    writer.close()
async def main():
    import slow, leaf
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello %d\\n" % leaf.value)
    print(await reader.read())
    server.close()
asyncio.run(main())
""",
    "an error in what it imports": """
import slow, leaf
def fails(): return leaf.value / 0
fails()
""",
    "an exit in the middle": "import slow, leaf, sys\nprint(leaf.value)\nsys.exit(3)\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", WHOLE)
def test_a_resumed_program_with(program: Stage, python: str, what: str) -> None:
    """Those that do not fit the pattern of the others."""
    program.write("slow.py", SLOW)
    program.write("leaf.py", "value = 1\n")
    program.write("app.py", WHOLE[what])
    program.start("app.py", python=python)
    code = program.ended()
    assert program.last_words() == expected(program, python)

    program.write("leaf.py", "value = 2\n")
    program.forget_output()
    program.resume(program.before("leaf.py"))

    assert program.ended() == code
    assert program.last_words() == expected(program, python)


@pytest.mark.slow
def test_unseeded_a_resumed_program_gets_other_numbers(program: Stage, python: str) -> None:
    """As each start does; a snapshot before them and one after some of them."""
    program.write("slow.py", SLOW)
    program.write("again.py", SLOW)
    program.write("leaf.py", "")
    app = "import random, slow, again\nnumbers = [random.random() for _ in range(2000)]\nimport slow2, leaf\n"
    program.write("slow2.py", SLOW)
    program.write("app.py", f"{app}print(random.random(), random.__loader__ is random.__spec__.loader, flush=True)\n")
    program.start("app.py", python=python)
    program.ended()
    for name in ("leaf.py", "again.py", "leaf.py"):
        program.resume(program.before(name))
        program.ended()

    lines = program.last_words()
    assert len(set(lines)) == len(lines) == 4
    assert all(line.endswith("True") for line in lines)


def expected(program: Stage, python: str) -> list[str]:
    """What a cold start writes now."""
    return cold(program.folder, ["app.py"], python)
