"""What the program used by the time of a snapshot: nothing may be missing."""

from __future__ import annotations

import os
import zipfile

import pytest

from tests.runtime.stage import Stage

SLOW = "import time\ntime.sleep(0.16)\n"
USES = {
    "used0.py": "import used0",
    "fails.py": "try:\n    import fails\nexcept ImportError:\n    pass",
    "used1.py": "import used1\ndel sys.modules['used1'], used1",
    "package/inner.py": "import package.inner",
    "used2.py": "sys.meta_path.insert(0, Finder)\nimport used2\nsys.meta_path.remove(Finder)",
    "used3.py": "import runpy\nrunpy.run_path('used3.py')",
    "archive.zip": "sys.path.append('archive.zip')\nimport zipped",
    "text": "open('text').read()",
    "bytes": "open(b'bytes', 'rb').read()",
    "path": "import pathlib\npathlib.Path('path').read_text()",
    "low": "os.close(os.open('low', os.O_RDONLY))",
    "from": "fd = os.open('.', 0)\nos.close(os.open('from', os.O_RDONLY, dir_fd=fd))\nos.close(fd)",
    "package/within": "fd = os.open('package', 0)\nos.close(os.open('within', os.O_RDONLY, dir_fd=fd))\nos.close(fd)",
    "keyword": "open(file='keyword').close()",
    "both": "open('both', 'r+').close()",
    "elsewhere": "os.chdir('package')\nopen('../elsewhere').close()\nos.chdir('..')",
    "package/aside": "open('link/../aside').close()",
    "package/data0.txt": "import pkgutil\npkgutil.get_data('package', 'data0.txt')",
    "package/data1.txt": "from importlib import resources\n(resources.files('package') / 'data1.txt').read_text()",
    "codecs_": "import codecs\ncodecs.open('codecs_').close()",
    "input_": "import fileinput\nlist(fileinput.input('input_'))",
    "ini": "import configparser\nconfigparser.ConfigParser().read('ini')",
    "line": "import linecache\nlinecache.getline('line', 1)",
    "missing": "try:\n    open('missing')\nexcept OSError:\n    pass",
}
HEAD = """
import os, sys, importlib.machinery
class Finder:
    def find_spec(name, path=None, target=None):
        return importlib.machinery.PathFinder.find_spec(name, path, target)
"""


def write(program: Stage) -> None:
    """All that is used, and one that is not."""
    for name in USES:
        if name != "missing":
            program.write(name, "")
    program.write("fails.py", "import nowhere")
    program.write("package/under/__init__.py", "")
    (program.folder / "link").symlink_to("package/under")
    program.write("package/__init__.py", "")
    with zipfile.ZipFile(program.folder / "archive.zip", "w") as archive:
        archive.writestr("zipped.py", "")
    program.write("slow.py", SLOW)
    program.write("leaf.py", "")
    program.write("app.py", HEAD + "\n".join(USES.values()) + "\nimport slow, leaf\n")


@pytest.mark.slow
def test_nothing_that_was_used_is_missing(program: Stage, python: str) -> None:
    """However it was used; modules by their source, and in the second run by cached bytecode."""
    write(program)
    for _ in range(2):
        program.start("app.py", python=python)
        assert program.ended() == 0, program.last_words()

        assert [name for name in USES if not known(program, name, "leaf.py")] == []
        assert [name for name in (*USES, "leaf.py") if known(program, name, "")] == []
        assert not known(program, "leaf.py", "leaf.py")
        program.abandon()


def known(program: Stage, name: str, place: str) -> bool:
    """Does the snapshot before `place`, or one above it, say that it used that file?"""
    used: set[str] = set()
    for snapshot in program.chain():
        used |= {path for path, _ in snapshot.facts["used"]}
        if os.path.basename(snapshot.facts["path"]) == place:
            break
    return str(program.folder / name) in {os.path.realpath(path) for path in used}


def test_a_data_file_is_told_of_at_once(program: Stage) -> None:
    """There may never be a snapshot that could tell of it: by a process of its own too, and once by each."""
    program.write("read.txt", "")
    program.write(
        "app.py",
        "import os, tempfile\nopen('read.txt').close()\nopen('new.txt', 'w').close()\n"
        "open(tempfile.mkstemp()[0]).close()\nif os.fork() == 0:\n    open('app.py').close()\n"
        "    open('new.txt').close()\n    os._exit(0)\nos.wait()",
    )
    program.start("app.py")
    program.ended()
    program.hear()

    told = [path for what, *paths in program.notes if what == "opened" for path in paths]
    assert [os.path.basename(path) for path in told if path.startswith(str(program.folder))] == [
        "app.py",
        "read.txt",
        "new.txt",
    ]
