"""From the words of a person to the value of an option. Each raises ValueError(what it must be)."""

from __future__ import annotations

from collections.abc import Callable


def duration(text: str) -> float:
    """Seconds, from `500ms`, `2s`, `1.5m` or a bare number of seconds."""
    number, factor = text.strip(), 1.0
    for unit, seconds in (("ms", 0.001), ("s", 1.0), ("m", 60.0)):
        if number.endswith(unit):
            number, factor = number[: -len(unit)], seconds
            break
    try:
        value = float(number) * factor
    except ValueError:
        value = -1.0
    if not 0 <= value < 86400:  # false for nan too
        raise ValueError("a duration such as 500ms, 2s, or a number of seconds")
    return value


def interval(text: str) -> float:
    """As a duration, but long enough to do something else in between; 0 for `auto`."""
    if text == "auto":
        return 0.0
    try:
        value = duration(text)
    except ValueError:
        value = 0.0
    if value < 0.01:
        raise ValueError("a duration such as 500ms, 2s, or a number of seconds, of 10ms or more")
    return value


def signal_name(text: str) -> str:
    """`TERM`, from `TERM`, `SIGTERM`, `sigterm` or `15`."""
    import signal

    name = text.strip().upper().removeprefix("SIG")
    try:
        found = signal.Signals(int(name)) if name.isdigit() else signal.Signals["SIG" + name]
    except (KeyError, ValueError):
        raise ValueError("a signal such as TERM, INT, HUP or a number") from None
    if found in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGCONT, signal.SIGCHLD):
        raise ValueError("a signal that asks a command to end, such as TERM or INT")
    return found.name.removeprefix("SIG")


def suffixes(text: str) -> tuple[str, ...]:
    """`(".py", "_test.py")`, from `py,_test.py`: what does not begin with a dot, an underscore or a star gets a dot."""
    found = []
    for item in text.split(","):
        word = item.strip().removeprefix("*")
        if not word:
            continue
        if "/" in word or "*" in word or len(word.split()) > 1:
            raise ValueError("a list of extensions such as .py,.html (for a pattern there is --include)")
        found.append(word if word[0] in "._" else "." + word)
    if not found:
        raise ValueError("a list of extensions such as .py,.html")
    return tuple(dict.fromkeys(found))


def one_of(*words: str) -> Callable[[str], str]:
    """One of these words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return text

    return parse


def filled(text: str) -> str:
    """Any text but an empty one."""
    if not text or "\0" in text:
        raise ValueError("text that is not empty")
    return text


def size(text: str) -> int:
    """Bytes, from `500M`, `2G`, `1.5GiB`, `64 MB` or a bare number of bytes; a K is 1024."""
    number = text.strip().upper().removesuffix("B").removesuffix("I")
    factor = 1
    for power, unit in enumerate("KMGT", start=1):
        if number.endswith(unit):
            number, factor = number[:-1], 1024**power
            break
    try:
        value = float(number) * factor
    except ValueError:
        value = -1.0
    if not 0 <= value < 2**60:  # false for nan too
        raise ValueError("a size such as 500M, 2G, or a number of bytes")
    return int(value)
