"""A running asyncio loop across a fork: servers such as uvicorn import the program from within one.

The descriptor of an epoll(7) and that of the loop's own wake-up sockets would be shared by the snapshot and all its
children, which would change each other's. So each child gets new ones. Python also forgets, in the child, that a loop
is running.
"""

from __future__ import annotations

import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import set_wakeup_fd
    from typing import Any
else:
    from _signal import set_wakeup_fd

_epoll = select.epoll
"""Before somebody replaced it."""


def running() -> Any:
    """The running loop of this thread; None: there is none."""
    events = sys.modules.get("asyncio.events")
    return events._get_running_loop() if events is not None else None


def descriptors() -> set[int]:
    """Those that `give_back` makes anew, so that they are no reason to refuse a snapshot."""
    loop = running()
    if loop is None or not _is_known(loop):
        return set()
    return {loop._selector.fileno(), loop._ssock.fileno(), loop._csock.fileno()}


def refusal() -> str:
    """Why a running loop cannot be taken across a fork; empty: it can, or there is none."""
    loop = running()
    if loop is None or _is_known(loop):
        return ""
    return f"the running event loop is a {type(loop).__module__}.{type(loop).__qualname__}"


def _is_known(loop: Any) -> bool:
    unix_events = sys.modules.get("asyncio.unix_events")
    selectors = sys.modules.get("selectors")
    return (
        unix_events is not None
        and selectors is not None
        and type(loop) is unix_events._UnixSelectorEventLoop
        and type(loop._selector) is getattr(selectors, "EpollSelector", None)
    )


def save() -> Saved | None:
    """What has to be given back to a child; None: nothing."""
    loop = running()
    return Saved(loop) if loop is not None else None


class Saved:
    """A running loop that `refusal` has nothing against."""

    def __init__(self, loop: Any) -> None:
        events = sys.modules["asyncio.events"]
        self._loop = loop
        policy = getattr(events, "_event_loop_policy", None)
        self._local: Any = getattr(policy, "_local", None)
        self._names = dict(self._local.__dict__) if self._local is not None else {}
        # Since 3.14 it is kept by the interpreter, which forgets it in the child.
        self._task: Any = sys.modules["asyncio.tasks"].current_task(loop) if sys.version_info >= (3, 14) else None
        self._wakes_by_signal = set_wakeup_fd(-1)
        if self._wakes_by_signal >= 0:
            set_wakeup_fd(self._wakes_by_signal, warn_on_full_buffer=False)

    def give_back(self) -> None:
        """In a child."""
        loop, selector = self._loop, self._loop._selector
        sys.modules["asyncio.events"]._set_running_loop(loop)
        if self._local is not None:
            self._local.__dict__.update(self._names)
        if self._task is not None:
            sys.modules["asyncio.tasks"]._swap_current_task(loop, self._task)
        own = loop._csock.fileno()
        loop._remove_reader(loop._ssock.fileno())
        loop._ssock.close()
        loop._csock.close()
        loop._internal_fds -= 1
        old, selector._selector = selector._selector, _epoll()
        old.close()
        for key in selector.get_map().values():
            selector._selector.register(key.fd, _mask(key.events))
        loop._make_self_pipe()
        if self._wakes_by_signal >= 0:
            # As asyncio sets it for its signal handlers; another one is the program's own.
            new = loop._csock.fileno() if self._wakes_by_signal == own else self._wakes_by_signal
            set_wakeup_fd(new, warn_on_full_buffer=False)


def _mask(events: int) -> int:
    from select import EPOLLIN, EPOLLOUT
    from selectors import EVENT_READ, EVENT_WRITE

    return (EPOLLIN if events & EVENT_READ else 0) | (EPOLLOUT if events & EVENT_WRITE else 0)
