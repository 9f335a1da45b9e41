"""What a person should know about the watching, in words: what is wrong, its present value, what raises it."""

from __future__ import annotations

import os

from autoreload.watch.backend import Notice

_POLLED = "everything is polled instead, which is slower"


def limit_notice(count: int, polled: bool) -> Notice:
    """The limit of watches is reached, and `count` directories are not watched."""
    present, own = _limit("watches")
    fate = "polled instead, which is slower" if polled else "not watched"
    directories = "1 directory is" if count == 1 else f"{count} directories are"
    want = max(524288, 2 * int(present)) if present.isdigit() else 524288
    return Notice(
        f"the limit fs.inotify.max_user_watches ({present}) is reached: {directories} {fate}",
        f"raise it with `sudo sysctl fs.inotify.max_user_watches={want}`, and for good with "
        f"`echo fs.inotify.max_user_watches={want} | sudo tee /etc/sysctl.d/60-inotify.conf`{own}",
    )


def instances_notice() -> Notice:
    """The limit of inotify instances is reached."""
    present, own = _limit("instances")
    want = max(1024, 2 * int(present)) if present.isdigit() else 1024
    return Notice(
        f"the limit fs.inotify.max_user_instances ({present}) is reached: {_POLLED}",
        f"raise it with `sudo sysctl fs.inotify.max_user_instances={want}`, and for good with "
        f"`echo fs.inotify.max_user_instances={want} | sudo tee /etc/sysctl.d/60-inotify.conf`{own}",
    )


def descriptors_notice(present: int) -> Notice:
    """The process has no descriptor left."""
    return Notice(
        f"all {present} descriptors of this process are in use: {_POLLED}",
        f"raise the limit with `ulimit -n {max(1024, 2 * present)}` before starting autoreload",
    )


def refused_notice(why: str) -> Notice:
    """There is no inotify here."""
    return Notice(
        f"inotify is not available here ({why}): {_POLLED}",
        "allow inotify_init1(2) and inotify_add_watch(2) in the seccomp profile of the container",
    )


def remote_notice(found: list[tuple[str, str]]) -> Notice:
    """Folders that are polled for the sake of their file system: (path, type)."""
    named = ", ".join(f"{path} ({kind})" for path, kind in found[:3]) + (", ..." if len(found) > 3 else "")
    return Notice(f"polling what the kernel does not tell of: {named}", detail=True)


def too_much_notice(path: str, most: int) -> Notice:
    """Behind this link, and others, there is more than is watched."""
    return Notice(
        f"more than {most} folders are behind links, most of them behind {path}: the rest is not watched",
        f"--ignore {os.path.basename(path)}, or name what matters of it: --watch PATH",
    )


def fenced_notice(path: str, real: str) -> Notice:
    """This link leads to where no link is followed."""
    return Notice(f"not following {path}: {real or '/'} is no folder of files, or on another machine", detail=True)


def flood_notice(count: int) -> Notice:
    """Events were lost again and again."""
    return Notice(
        f"changes come faster than they can be read: taking all {count} watched files as changed",
        "ignore what is written all the time, or raise fs.inotify.max_queued_events",
    )


def silent_notice(point: str, kind: str, why: str = "") -> Notice:
    """A file system does not answer."""
    return Notice(
        f"{point} ({kind}) does not answer{f' ({why})' if why else ''}: changes on it go unnoticed until it does",
        "see to its server or its daemon, or unmount it (umount -l)",
    )


def answers_notice(point: str, kind: str) -> Notice:
    """It does again."""
    return Notice(f"{point} ({kind}) answers again: what changed on it meanwhile is told now")


def unreadable_notice(paths: list[str]) -> Notice:
    """Directories that may not be read."""
    if len(paths) == 1:
        return Notice(f"cannot read {paths[0] or '/'}: not watched", "make it readable, or ignore it")
    named = ", ".join(paths[:3]) + (", ..." if len(paths) > 3 else "")
    return Notice(
        f"cannot read {len(paths)} directories: not watched ({named})",
        "make them readable, or ignore them",
    )


def _limit(what: str) -> tuple[str, str]:
    """The limit of watches or instances that is in force, and what else is to be raised: a user namespace has one of
    its own, user_namespaces(7)."""
    present = _value(f"/proc/sys/fs/inotify/max_user_{what}")
    own = _value(f"/proc/sys/user/max_inotify_{what}")
    if present.isdigit() and own.isdigit() and int(own) < int(present):
        return own, f"; in this user namespace also user.max_inotify_{what}"
    return present, ""


def _value(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return "unknown"
