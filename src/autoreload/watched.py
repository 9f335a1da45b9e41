"""What is opened to see the files: the backend, what is known of their contents, and what is asked beside the loop."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from autoreload.content import Content
from autoreload.core.filter import Rules
from autoreload.elsewhere import Elsewhere
from autoreload.job import Job
from autoreload.process.command import Command
from autoreload.scope import Scope
from autoreload.watch.aside import AsideBackend
from autoreload.watch.backend import Root
from autoreload.watch.choose import open_backend
from autoreload.watch.linked import LinkedBackend


class Watched(NamedTuple):
    """All of that."""

    scope: Scope
    elsewhere: Elsewhere
    backend: AsideBackend | LinkedBackend
    content: Content | None
    """None: nobody wants it compared."""


def watch(job: Job, command: Command, rules: Rules, spare: Callable[[int], None], since: int, started: bool) -> Watched:
    """Open it. `spare`: told of each process that is not of the command. `since`: what changed from there on (file
    time, ns) counts. `started`: the command may have been started since."""
    chosen = job.settings
    elsewhere = Elsewhere(chosen.backend, chosen.poll or None, spare)
    scope = elsewhere.interest = Scope(
        rules,
        (chosen.include, job.include_base),
        (chosen.ignore, job.ignore_base),
        os.environ,
        everything=chosen.explain,
        disk=elsewhere,
    )
    roots = [Root(path, single=not os.path.isdir(path)) for path in job.roots]
    backend = open_backend(roots, scope, since, chosen.backend, chosen.poll or None, started, elsewhere.aside)
    content = None
    if not chosen.no_content_check:
        content = Content(scope, job.roots, command.directory, elsewhere, backend.links)
        if started and not chosen.postpone:
            content.started(since)
    return Watched(scope, elsewhere, backend, content)
