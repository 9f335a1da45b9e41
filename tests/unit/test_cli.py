"""What a call means: both forms, the file of settings, and what is said of a wrong one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoreload import cli, settings, values
from autoreload.errors import UserError
from autoreload.job import Job


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that autoreload is called in, with a folder `src` and a file `app.py`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    (tmp_path / "src").mkdir()
    (tmp_path / "app.py").write_text("")
    return tmp_path


def job(*words: str) -> Job:
    """The job that these words ask for."""
    understood = cli.understand(*cli.parse_words(words), cli.start_directory(os.environ), os.environ)
    assert understood is not None
    return understood


# -- the two forms ---------------------------------------------------------------------------------------------------
def test_the_seed_form_character_for_character(project: Path) -> None:
    """`autoreload . .py,.xml,.conf './openerp-server -c openerp-server.conf'`."""
    asked = job(".", ".py,.xml,.conf", "./openerp-server -c openerp-server.conf")

    assert asked.seed_form
    assert asked.command == "./openerp-server -c openerp-server.conf"
    assert asked.roots == (str(project),)
    assert asked.shown_root == "."
    assert asked.settings.extensions == (".py", ".xml", ".conf")


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        (".py", (".py",)),
        (".py, .xml", (".py", ".xml")),
        ("_test.py,*.rst", ("_test.py", ".rst")),
        (".tar.gz", (".tar.gz",)),
        (".py,", (".py",)),
    ],
)
def test_suffixes_of_the_seed_form(project: Path, extensions: str, expected: tuple[str, ...]) -> None:
    """Items begin with a dot, an underscore or a star; blanks around the commas are dropped."""
    assert job("src", extensions, "make").settings.extensions == expected


@pytest.mark.parametrize(
    "words", [["src", "-c", "x.conf"], ["src", ".py"], ["src", ".py", "make", "-k"], ["server", ".py", "x"], ["server"]]
)
def test_anything_else_is_the_modern_form(project: Path, words: list[str]) -> None:
    """Also where a folder has the command's name, or a dotted word comes second."""
    tools = project / "tools"
    tools.mkdir()
    for name in ("src", "server"):
        (tools / name).write_text("#!/bin/sh\n")
        (tools / name).chmod(0o755)

    asked = cli.understand({}, words, str(project), {"PATH": str(tools)})
    assert asked is not None
    assert asked.command == tuple(words)
    assert not asked.seed_form


def test_a_script_and_its_arguments_are_no_path_and_extensions(project: Path) -> None:
    """`autoreload app.py .env production`, where both files are there."""
    (project / ".env").touch()

    assert job("app.py", ".env", "production").command == ("app.py", ".env", "production")


def test_options_end_at_the_first_positional_or_at_two_dashes(project: Path) -> None:
    """What follows belongs to the command, even if it looks like an option of ours."""
    asked = job("-e", "py", "-q", "python", "app.py", "-q", "--", "--clear")
    assert asked.command == ("python", "app.py", "-q", "--", "--clear")
    assert asked.settings.quiet
    assert not asked.settings.clear

    assert job("--", "--odd-command", "--").command == ("--odd-command", "--")


def test_every_option_reaches_the_settings(project: Path) -> None:
    """All at once, long and short."""
    asked = job(
        *"--watch src --watch app.py -e py,.html --include Makefile -i static/** --no-ignore --signal int "
        "--stop-timeout 500ms --debounce 0.1 --backend fanotify -p --on-exit restart -c -v --explain true".split()
    )

    assert asked.settings == settings.Settings(
        watch=("src", "app.py"),
        extensions=(".py", ".html"),
        include=("Makefile",),
        ignore=("static/**",),
        no_ignore=True,
        signal="INT",
        stop_timeout=0.5,
        debounce=0.1,
        backend="fanotify",
        postpone=True,
        on_exit="restart",
        clear=True,
        verbose=True,
        explain=True,
    )
    assert asked.roots == (str(asked.directory) + "/src", str(asked.directory) + "/app.py")


@pytest.mark.parametrize(
    ("words", "interval", "command"),
    [
        (["--poll", "python", "app.py"], 0.0, ("python", "app.py")),
        (["--poll=2", "python", "app.py"], 2.0, ("python", "app.py")),
        (["-q", "--poll=500ms", "--", "2"], 0.5, ("2",)),
        (["-pe", "py", "--poll", "-c", "make"], 0.0, ("make",)),
        (["--watch", "src", "--poll", "make"], 0.0, ("make",)),
        (["--poll=2", "--poll", "make"], 0.0, ("make",)),
        (["--backend", "polling", "make"], None, ("make",)),
        (["--backend", "auto", "--poll=3", "make"], 3.0, ("make",)),
    ],
)
def test_the_value_of_poll_is_attached(
    project: Path, words: list[str], interval: float | None, command: tuple[str, ...]
) -> None:
    """It never takes the next word, which is the command. 0: as often as it pleases."""
    asked = job(*words)
    assert asked.command == command
    assert asked.settings.poll == interval
    assert asked.settings.backend == "polling"


def test_what_looks_like_poll_is_left_alone_in_the_command(project: Path) -> None:
    """It is the command's."""
    asked = job("-i", "x", "make", "--poll")
    assert asked.settings.backend == "auto"
    assert asked.command == ("make", "--poll")


@pytest.mark.parametrize(
    ("line", "table", "backend", "poll"),
    [
        ([], "poll = true", "polling", 0.0),
        ([], "poll = 2", "polling", 2.0),
        ([], 'poll = "500ms"', "polling", 0.5),
        ([], "poll = false", "auto", None),
        (["--poll"], 'backend = "inotify"', "polling", 0.0),
        (["--backend", "inotify"], "poll = true", "inotify", 0.0),
        ([], 'backend = "fanotify"', "fanotify", None),
    ],
)
def test_the_backend_of_the_line_wins_over_that_of_the_file(
    project: Path, line: list[str], table: str, backend: str, poll: float | None
) -> None:
    """Whichever of the two options it is said with."""
    (project / "pyproject.toml").write_text(f"[tool.autoreload]\n{table}\n")
    asked = job(*line, "make")
    assert (asked.settings.backend, asked.settings.poll) == (backend, poll)


@pytest.mark.parametrize("words", [["--poll", "--backend", "inotify"], ["--poll=0"], ["--poll=x"], ["--backend", "x"]])
def test_a_backend_that_makes_no_sense_is_refused(project: Path, words: list[str]) -> None:
    """With a line that names it."""
    with pytest.raises(UserError, match=words[0].partition("=")[0]):
        job(*words, "make")


def test_no_command_is_not_a_job(project: Path) -> None:
    """The caller gets the short usage."""
    assert cli.understand({}, [], str(project), os.environ) is None
    assert settings.SHORT_USAGE.count("\n") < 8


def test_the_start_directory_is_the_path_its_user_came_by(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `current` link is entered anew at each start."""
    link = project / "current"
    link.symlink_to(project / "src")
    monkeypatch.chdir(link)

    assert cli.start_directory({"PWD": str(link)}) == str(link)
    assert cli.start_directory({"PWD": str(project)}) == str(project / "src")
    assert cli.start_directory({}) == str(project / "src")


# -- pyproject.toml --------------------------------------------------------------------------------------------------
def write_settings(folder: Path, text: str) -> None:
    """Give this folder a pyproject.toml."""
    (folder / "pyproject.toml").write_text(text)


def test_the_command_and_its_options_from_pyproject(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`autoreload` alone, in a folder below: paths are relative to the file, and the command runs there."""
    write_settings(
        project,
        '[tool.autoreload]\ncommand = "python app.py"\nwatch = ["src"]\nextensions = [".py", "html"]\n'
        'stop-timeout = 1\non_exit = "quit"\nclear = true\n',
    )
    monkeypatch.chdir(project / "src")
    monkeypatch.setenv("PWD", str(project / "src"))

    asked = job()
    assert asked.command == "python app.py"
    assert asked.directory == str(project)
    assert asked.roots == (str(project / "src"),)
    assert asked.settings.extensions == (".py", ".html")
    assert (asked.settings.stop_timeout, asked.settings.on_exit, asked.settings.clear) == (1.0, "quit", True)


def test_patterns_are_relative_to_where_they_were_written(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the file to its folder, those of the line to the present one."""
    write_settings(project, '[tool.autoreload]\ninclude = ["/a"]\nignore = ["/b"]\n')
    monkeypatch.chdir(project / "src")
    monkeypatch.setenv("PWD", str(project / "src"))

    asked = job("-i", "/c", "make")
    assert (asked.include_base, asked.ignore_base) == (str(project), str(project / "src"))


def test_options_on_the_line_win_over_pyproject(project: Path) -> None:
    """And its other options apply to a command given on the line."""
    write_settings(project, '[tool.autoreload]\ncommand = ["python", "app.py"]\ndebounce = "1s"\nsignal = "INT"\n')

    asked = job("--debounce", "10ms", "make", "serve")
    assert asked.command == ("make", "serve")
    assert (asked.settings.debounce, asked.settings.signal) == (0.01, "INT")
    assert job("-q").command == ("python", "app.py")


def test_how_much_is_said_is_for_the_line_to_decide(project: Path) -> None:
    """-v beats quiet in the file, -q beats verbose and explain."""
    write_settings(project, "[tool.autoreload]\nquiet = true\n")
    assert not job("-v", "make").settings.quiet
    write_settings(project, "[tool.autoreload]\nverbose = true\nexplain = true\n")
    chosen = job("-q", "make").settings
    assert (chosen.quiet, chosen.verbose, chosen.explain) == (True, False, False)


def test_a_pyproject_without_our_table_is_passed_over(project: Path) -> None:
    """The nearest one that has it counts."""
    write_settings(project, '[tool.autoreload]\ncommand = "make"\n')
    write_settings(project / "src", "[tool.other]\nautoreload = true\n")

    understood = cli.understand({}, [], str(project / "src"), {})
    assert understood is not None
    assert understood.command == "make"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[tool.autoreload\n", "broken"),
        ("[tool.autoreload]\nwacth = ['src']\n", "did you mean watch"),
        ("[tool.autoreload]\nclear = 1\n", "must be true or false"),
        ("[tool.autoreload]\ncommand = 3\n", "must be text or a list"),
        ('[tool.autoreload]\ncommand = ["a\\u0000b"]\n', "must be text or a list"),
        ("[tool.autoreload]\nsignal = ['INT']\n", "must be text"),
        ("[tool.autoreload]\nsignal = 'NOPE'\n", "signal in pyproject.toml"),
        ("[tool]\nautoreload = 3\n", "[tool.autoreload]"),
    ],
)
def test_a_broken_pyproject_is_named_with_its_remedy(project: Path, text: str, what: str) -> None:
    """File, and line or key."""
    write_settings(project, text)

    with pytest.raises(UserError) as caught:
        job("make")
    assert "pyproject.toml" in str(caught.value)
    assert what in str(caught.value)


def test_a_toml_error_names_its_line(project: Path) -> None:
    """As the parser tells it."""
    write_settings(project, "[tool.autoreload]\ncommand = \n")

    with pytest.raises(UserError, match="line 2"):
        job()


# -- bad input -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ext", "py", "make"], "unknown option --ext; did you mean --extensions?"),
        (["-e", ".py .xml", "make"], "--extensions: '.py .xml' is not valid"),
        ([".", "py,html", "make x"], "EXTENSIONS 'py,html' lacks its dots; write: autoreload . .py,.html 'make x'"),
        ([".py", ".", "make x"], "PATH comes before EXTENSIONS; write: autoreload . .py 'make x'"),
        (["--wach", "src", "make"], "unknown option --wach; did you mean --watch?"),
        (["--watch=nosuch", "make"], "cannot watch nosuch: No such file or directory"),
        (["--watch"], "--watch lacks its value; write --watch PATH"),
        (["-e"], "--extensions lacks its value"),
        (["--clear=yes", "make"], "--clear takes no value"),
        (["--debounce", "soon", "make"], "--debounce: 'soon' is not valid; it must be a duration"),
        (["--debounce", "-1", "make"], "--debounce"),
        (["--stop-timeout", "nan", "make"], "--stop-timeout: 'nan' is not valid"),
        (["--signal", "KILLL", "make"], "--signal: 'KILLL' is not valid; it must be a signal"),
        (["--signal", "STOP", "make"], "asks a command to end"),
        (["--on-exit", "stay", "make"], "one of wait, restart, quit"),
        (["-e", ",", "make"], "a list of extensions"),
        (["-e", "src/*.py", "make"], "--include"),
        (["-q", "-v", "make"], "--quiet and --verbose contradict each other"),
        (["-e", ".py", ".", ".xml", "make"], "both --extensions and EXTENSIONS (.xml)"),
        (
            [".py,.xml", "./server -c x"],
            "PATH is missing before .py,.xml; write: autoreload . .py,.xml './server -c x'",
        ),
        (["nosuch", ".py,.xml", "make"], "PATH nosuch does not exist"),
        (["app.py", ".py,.xml", "make"], "PATH app.py is a file, not a directory"),
        ([".", "*.*", "make"], "EXTENSIONS: '*.*' is not valid; it must be a list of extensions"),
        ([".", ".py", "  "], "COMMAND is empty"),
        (["src"], "src is a directory, not a command"),
        (["-e", "py"], "there is no command to run"),
        (["-x", "make"], "unknown option -x"),
        (["-5", "make"], "unknown option -5"),
        (["--watch", "", "make"], "--watch: '' is not valid; it must be text that is not empty"),
    ],
)
def test_bad_usage_names_the_thing_and_the_remedy(project: Path, words: list[str], message: str) -> None:
    """One line, whatever is wrong."""
    with pytest.raises(UserError) as caught:
        job(*words)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("place", "name"), [("/", "the root directory"), ("home", "your home directory")])
def test_the_root_and_the_home_directory_are_not_watched_by_accident(project: Path, place: str, name: str) -> None:
    """Only if they are named."""
    here = str(project) if place == "home" else place
    environ = {"HOME": str(project), "PATH": "/usr/bin:/bin"}

    with pytest.raises(UserError, match=name):
        cli.understand({}, ["ls"], here, environ)
    asked = cli.understand({"watch": [here]}, ["ls"], here, environ)
    assert asked is not None
    assert asked.roots == (here,)


@pytest.mark.parametrize("words", [["--cold", "*.ini"], ["--warm-memory", "1G"], ["--no-use-check"]])
def test_what_is_for_warm_restarts_only_needs_them(words: list[str], tmp_path: Path) -> None:
    """On the line. In pyproject.toml they may wait for a --warm."""
    given, rest = cli.parse_words([*words, "make"])
    with pytest.raises(UserError, match=f"{words[0]} means nothing without --warm"):
        cli.understand(given, rest, str(tmp_path), {})

    (tmp_path / "pyproject.toml").write_text(
        '[tool.autoreload]\ncold = "*.ini"\nwarm-memory = "1G"\nno-use-check = true\n'
    )
    assert cli.understand({}, rest, str(tmp_path), {}) is not None
    assert cli.understand(*cli.parse_words(["--warm", *words, "make"]), str(tmp_path), {}) is not None


# -- values ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("2s", 2.0), ("3", 3.0), ("0", 0.0), ("1.5m", 90.0), (" 20ms ", 0.02), ("1e-2", 0.01)],
)
def test_durations(text: str, seconds: float) -> None:
    """A bare number is seconds, everywhere."""
    assert values.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "ms", "-1s", "1h", "inf", "nan", "1,5s", "99999999"])
def test_what_is_no_duration(text: str) -> None:
    """Each is refused."""
    with pytest.raises(ValueError, match="a duration"):
        values.duration(text)


@pytest.mark.parametrize("text", ["INT", "SIGINT", "sigint", " int ", "2"])
def test_signals_by_any_of_their_names(text: str) -> None:
    """As kill(1) takes them."""
    assert values.signal_name(text) == "INT"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("100", 100),
        ("1k", 1024),
        ("500M", 500 << 20),
        ("2G", 2 << 30),
        ("1.5GiB", 3 << 29),
        (" 64 MB ", 64 << 20),
    ],
)
def test_sizes(text: str, number: int) -> None:
    """A bare number is bytes."""
    assert values.size(text) == number


@pytest.mark.parametrize("text", ["", "M", "-1", "1X", "inf", "nan", "1,5G", "1 2", "25%"])
def test_what_is_no_size(text: str) -> None:
    """Each is refused."""
    with pytest.raises(ValueError, match="a size"):
        values.size(text)


def test_the_table_declares_each_setting_once() -> None:
    """Every field of the settings is an option, in the same order, and every option is in --help."""
    assert tuple(option.name for option in settings.OPTIONS) == settings.Settings._fields
    assert all(option.flag in settings.help_text() for option in settings.OPTIONS)


def test_help_shows_the_commonest_calls_first_and_fits_a_screen() -> None:
    """A newcomer reads the top."""
    lines = settings.help_text().splitlines()

    assert [line.split()[0] for line in lines[2:5]] == ["autoreload"] * 3
    assert max(map(len, lines)) <= 100
