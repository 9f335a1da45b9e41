"""Random programs, of what real ones are made of, and random edits of them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.warm.theatre import Theatre

NAMES = ("m0", "m1", "m2", "m3")
IMPORTED = (*NAMES, "p", "p.q", "maybe", "m1.inner", "plugins.one", "plugins.two", "link", "zipped", "lib.deep", "app")
DATA = ("d0.txt", "d1.txt")
MADE = ("maybe.py", "m1/__init__.py", "p/r.py", "plugins/one.py", "opt.txt", "d2.txt", "p.py", "extra/plugins/two.py")
KEPT = ("recorder.py", "a.zip", "link.py")
WAYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "app.py": (("app.py",), ("app.py", "word"), ("-m", "app"), ("-c", "import app"), ("-W", "always", "app.py")),
    "p/__main__.py": (("-m", "p"),),
    "p/run.py": (("-m", "p.run"), ("p/run.py",)),
    "__main__.py": ((".",),),
}
"""The main file, and how Python is told to run it."""

HEAD = "import os, random, sys\nfrom recorder import said, text_of, once_more\n"
MAIN_HEAD = """\
import sys
sys.path.append(__import__('os').getcwd())
import atexit, recorder
atexit.register(recorder.end)
random = __import__('random')
random.seed(1)
"""

SIMPLE = (
    "x = {0}",
    "said.append((__name__, {0}))",
    "x = {0}; y = {0}",
    "if len(said) % 4 == {0}:\n    z = 1",
    "if len(said) % 4 == {0}:\n    z = 1\nelse:\n    z = 2; import m3",
    "'text {0}'",
    "v: int = {0}",
    "def f():\n    import m0\n    return {0}\nsaid.append(f())",
    "x = {0}\ndel x",
    "def g():\n    global x\n    x = {0}\ng()",
    "if (w := len(said)) > {0}:\n    import m2",
    "for i in range({0}):\n    said.append(i)",
    "class C{0}:\n    '''Its.'''\n    import m2\n    a: int = {0}\nsaid.append(sorted(vars(C{0}))[:3])",
)
RISKY = (
    "from m0 import *",
    "from p import *",
    "from . import q",
    "from .q import x",
    "from p.q import x as other",
    "import importlib\nimportlib.reload(sys.modules['m0'])",
    "import importlib\nsaid.append(importlib.import_module('m2').__name__)",
    "import pkgutil\nsaid.append(pkgutil.get_data('p', 'd.txt'))",
    "from importlib import resources\nsaid.append((resources.files('p') / 'd.txt').read_text())",
    "import runpy\nsaid.append(sorted(name for name in runpy.run_path('script.py') if name[0] != '_'))",
    "import runpy\nonce_more()\nsaid.append(sorted(name for name in runpy.run_module('m2') if name[0] != '_'))",
    "exec(open('script.py').read())",
    "once_more()\nexec(compile(open('m2.py').read(), 'm2.py', 'exec'), dict(__name__='other'))",
    "import m1\nsaid.append(m1.lazy)",
    "import bad",
    "import inspect\nsaid.append(inspect.getsource(f))",
    "import inspect\nsaid.append(inspect.getsource(sys.modules[__name__]))",
    "import linecache\nsaid.append(linecache.getline('m0.py', 3))",
    "with open('d0.txt') as file:\n    import m2\n    said.append(file.read())",
    "del x",
    "said.append(sorted(os.listdir('plugins')))",
    "import types\nsaid.append([n for n in vars(sys.modules['m0'])])",
    "raise ValueError(len(said))",
    "said.append(len(open('../outside').read()))",
)
WHOLE = (
    "said.append(random.random())",
    "random.seed(3)",
    "def __getattr__(name):\n    if name != 'lazy':\n        raise AttributeError(name)\n    import m2\n    return 5",
    "if __name__ == '__main__':\n    import m2\n    said.append('main')",
    "said.append([name for name in sys.modules if name in ('m0', 'm1', 'm2', 'm3', 'p', 'p.q', 'app')])",
    "said.append((__name__, __doc__, __package__, type(__builtins__).__name__, __loader__.__class__.__name__))",
    "said.append([os.path.basename(str(globals().get(name))) for name in ('__file__', '__cached__')])",
    "said.append((getattr(__spec__, 'name', None), getattr(__spec__, 'origin', None)))",
    "said.append([name for name in locals()])",
    "said.append(sys._getframe().f_lineno)",
    "import warnings\nfor i in range(2): warnings.warn('old', DeprecationWarning)",
    "import warnings\nwarnings.filterwarnings('ignore', 'nothing')\nwarnings.warn('new')",
    "def w():\n    import warnings\n    warnings.warn('called', stacklevel=2)\nw()\nw()",
    "atexit = __import__('atexit')\natexit.register(said.append, 'exit of ' + __name__)",
    "sys.path.insert(0, 'extra')\nimport inextra",
    "sys.path.append('a.zip')",
    "import os\nos.chdir('p')",
    "os.chdir(os.path.dirname(os.path.abspath(said.__class__.__name__)) or '/')",
    "async def later():\n    import m2\ntry:\n    later().send(None)\nexcept StopIteration:\n    pass",
    "def deco(c):\n    import m3\n    return c\n@deco\nclass D(metaclass=type('M', (type,), {})):\n    pass",
    "try:\n    try:\n        import m2, maybe\n    finally:\n        import m3\nexcept ImportError:\n    pass",
    "text = '''\nimport never\n'''",
    "said.append(sys.argv[1:])",
    "said.append(os.path.basename(os.getcwd()))",
    "try:\n    raise KeyError(1)\nexcept KeyError as error:\n    said.append(text_of(error))",
)
MODERN = (
    "match len(said):\n    case 0 | 1:\n        import m2\n    case _:\n        said.append('other')",
    "with (open('d0.txt') as a, open('d1.txt') as b):\n    said.append(a.read() + b.read())",
)
"""Since Python 3.10."""


def guarded(statement: str) -> str:
    """Whatever becomes of it, it is only taken down, with the text of the error."""
    lines = statement.replace("\n", "\n    ")
    if "import *" in statement:
        return f"try:\n    {lines}\nexcept Exception as error:\n    said.append(repr(error))"
    return f"try:\n    {lines}\nexcept Exception as error:\n    said.append(text_of(error))"


def statements(modern: bool) -> st.SearchStrategy[str]:
    """Statements at the top of a module."""
    imported = st.sampled_from(IMPORTED)
    return st.one_of(
        imported.map(lambda name: f"import {name}"),
        imported.map(lambda name: f"try:\n    import {name}\nexcept ImportError:\n    said.append('no {name}')"),
        st.sampled_from(("q", "r", "x")).map(
            lambda name: f"try:\n    from p import {name}\nexcept ImportError:\n    said.append('no {name} in p')"
        ),
        st.sampled_from(DATA).map(lambda name: f"said.append(open({name!r}).read())"),
        st.sampled_from((*DATA, *MADE)).map(lambda name: f"said.append(os.path.exists({name!r}))"),
        st.sampled_from(("m0.py", "m2.py")).map(lambda name: f"said.append(len(open({name!r}).read()))"),
        st.builds(lambda text, number: text.format(number), st.sampled_from(SIMPLE), st.integers(0, 9)),
        st.sampled_from(RISKY).map(guarded),
        st.sampled_from((*WHOLE, *MODERN) if modern else WHOLE),
    )


class Author:
    """Writes a program and edits it, by the choices of `draw`."""

    def __init__(self, draw: Callable[[Any], Any], project: Theatre, main: str, modern: bool) -> None:
        """`main`: the file that is run."""
        self._draw = draw
        self._project = project
        self._main = main
        self._statements = statements(modern)
        self._before: dict[str, str] = {}
        """What files were before their last edit."""

    def begin(self) -> None:
        """A whole program."""
        write = self._project.write
        write(self._main, self._main_source())
        for name in (*(f"{name}.py" for name in NAMES), "p/__init__.py", "p/q.py", "lib/deep.py", "extra/inextra.py"):
            write(name, self._source())
        write("script.py", "from recorder import said\nsaid.append('script')\nimport m3\n")
        write("bad.py", "import m3\ndef fails():\n    raise ValueError('bad')\nfails()\n")
        for name in DATA:
            write(name, "data")
        write("p/d.txt", "data")
        write("plugins/zero.txt", "")
        (self._project.tree / "link.py").symlink_to("m2.py")
        with zipfile.ZipFile(self._project.tree / "a.zip", "w") as archive:
            archive.writestr("zipped.py", "value = 1\n")

    def change(self) -> str:
        """Do one thing to the project: the path of what changed."""
        draw, project = self._draw, self._project
        there = [str(path.relative_to(project.tree)) for path in project.tree.rglob("*") if path.is_file()]
        there = sorted(name for name in there if "__pycache__" not in name and name not in KEPT)
        modules = [name for name in there if name.endswith(".py")]
        kind = draw(st.sampled_from(("edit",) * 8 + ("main", "main", "new", "remove", "rewrite", "undo", "replace")))
        if kind == "new":
            name = draw(st.sampled_from(MADE))
            return project.write(name, self._source() if name.endswith(".py") else "made")
        removable = [name for name in there if name != self._main]
        if kind == "remove" and removable:
            return project.remove(draw(st.sampled_from(removable)))
        if kind == "undo" and self._before:
            name = draw(st.sampled_from(sorted(self._before)))
            return project.write(name, self._before.pop(name))
        if kind in ("rewrite", "replace"):
            name = draw(st.sampled_from(there))
            text = f"data {draw(st.integers(0, 99))}"
            if name.endswith(".py"):
                text = self._main_source() if name == self._main else self._source()
            return self._replace(name, text) if kind == "replace" else project.write(name, text)
        name = self._main if kind == "main" else draw(st.sampled_from(modules))
        before = (project.tree / name).read_text()
        self._before[name] = before
        return project.write(name, self._edited(before, name == self._main))

    def _replace(self, name: str, text: str) -> str:
        """As most editors save: a new file in the place of the old one."""
        path = self._project.tree / name
        new = path.with_name("new~")
        new.write_text(text)
        os.replace(new, path)
        return str(path)

    def _source(self) -> str:
        future = self._draw(st.sampled_from(("", "", "from __future__ import annotations\n", "'''Its docstring.'''\n")))
        lines = self._draw(st.lists(self._statements, max_size=6))
        return str(future + HEAD + "".join(f"{line}\n" for line in lines))

    def _main_source(self) -> str:
        lines = self._draw(st.lists(self._statements, min_size=1, max_size=7))
        return MAIN_HEAD + HEAD + "".join(f"{line}\n" for line in lines)

    def _edited(self, text: str, main: bool) -> str:
        """A little change somewhere, as a person makes it; what comes of it may not compile."""
        draw = self._draw
        lines = text.splitlines()
        first = 8 if main else 2
        place = draw(st.integers(min(first, len(lines)), len(lines)))
        kind = draw(st.sampled_from(("insert", "insert", "delete", "else", "append", "space", "number")))
        added = draw(self._statements).splitlines()
        if kind == "else":
            return text + "else:\n    said.append('else')\n"
        if kind == "delete" and place < len(lines):
            del lines[place]
        elif kind == "space":
            lines.insert(place, "")
        elif kind == "number" and place < len(lines):
            lines[place] = lines[place].replace("1", "2").replace("3", "4")
        else:
            lines = [*lines, *added] if kind == "append" else [*lines[:place], *added, *lines[place:]]
        return "\n".join(lines) + "\n"
