"""What /proc/self/mountinfo says, and what of it has to be polled. The file is made up: no NFS is needed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from autoreload.linux.mounts import Mount, layers, mount_of, mounts, mounts_below, parse
from autoreload.watch.backend import Root
from autoreload.watch.mounted import Mounted, fences, is_remote, real_path

TEXT = r"""22 28 0:20 / /proc rw,relatime shared:14 - proc proc rw
28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
30 28 0:40 / /home rw shared:2 master:3 - nfs4 server:/home rw,vers=4.2
31 28 0:41 / /srv/app rw - ext4 /dev/vdb rw
32 31 0:42 /sub/dir /srv/app/with\040blank\011and\134 rw - 9p drvfs rw,aname=drvfs;path=C:\134
33 31 0:43 / /srv/app/remote rw - fuse.sshfs me@host: rw,user_id=0
34 33 0:44 / /srv/app/remote/inner rw - tmpfs tmpfs rw
35 31 0:45 / /srv/app/covered rw - cifs //host/share rw
36 35 0:46 / /srv/app/covered rw - tmpfs tmpfs rw
37 28 0:47 / /srv/application rw - nfs other:/ rw
not a line at all
"""


def table() -> list[Mount]:
    """The mounts of `TEXT`."""
    return parse(TEXT)


def mounted(*paths: str) -> Mounted:
    """What concerns these roots."""
    return Mounted([Root(path) for path in paths], table)


def test_a_line_is_taken_apart_and_its_octal_escapes_are_undone() -> None:
    """Blank, tab and backslash; optional fields between may be any number; what is no line is left out."""
    found = {mount.id: mount for mount in table()}
    assert len(found) == 10
    assert found[32] == Mount(
        32, 31, "0:42", "/sub/dir", "/srv/app/with blank\tand\\", "9p", "drvfs", "rw,aname=drvfs;path=C:\\134"
    )
    assert found[30].kind == "nfs4"
    assert found[30].source == "server:/home"


def test_a_path_is_on_the_deepest_mount_that_was_made_last() -> None:
    """Whole names count: /srv/application is not in /srv/app."""
    ids = {
        path: getattr(mount_of(path, table()), "id", None) for path in ("/", "/srv", "/srv/app/x", "/srv/application")
    }
    assert ids == {"/": 28, "/srv": 28, "/srv/app/x": 31, "/srv/application": 37}
    assert getattr(mount_of("/srv/app/covered/x", table()), "id", None) == 36


def test_of_mounts_below_a_folder_those_are_found_that_can_be_seen() -> None:
    """Not one that another covers, nor that of the folder itself."""
    assert [mount.id for mount in mounts_below("/srv/app", table())] == [32, 33, 34, 36]
    assert {mount.id for mount in mounts_below("/", table())} == {22, 30, 31, 32, 33, 34, 36, 37}


def test_the_mounts_of_this_machine_are_understood() -> None:
    """The root directory is on one of them."""
    if not Path("/proc/self/mountinfo").exists():
        pytest.skip("needs /proc")
    found = mount_of("/", mounts())
    assert found is not None
    assert found.point == "/"


@pytest.mark.parametrize("kind", "nfs nfs4 cifs smb3 9p drvfs virtiofs vboxsf fuse fuse.sshfs fuse.vmhgfs-fuse".split())
def test_what_is_changed_from_another_side_is_polled(kind: str) -> None:
    """Of those changes the kernel here knows nothing."""
    assert is_remote(kind)


@pytest.mark.parametrize("kind", "ext4 xfs btrfs tmpfs overlay fuseblk zfs proc".split())
def test_what_only_this_machine_changes_is_not_polled(kind: str) -> None:
    """`fuseblk` is a local disk with a file system of its own program, such as ntfs-3g."""
    assert not is_remote(kind)


def test_each_remote_mount_below_a_root_is_polled_by_itself() -> None:
    """One inside another remote one is polled with it, one that is covered is not there."""
    assert [root.path for root in mounted("/srv/app").remote] == ["/srv/app/with blank\tand\\", "/srv/app/remote"]


def test_a_root_on_a_remote_file_system_is_polled_as_a_whole() -> None:
    """However deep it is; a single file too."""
    assert [root.path for root in mounted("/home/me/project").remote] == ["/home/me/project"]
    assert mounted("/srv/other").remote == {}
    single = Root("/home/me/app.toml", single=True)
    assert list(Mounted([single], table).remote) == [single]


def test_a_root_behind_a_link_has_the_mounts_of_where_it_leads(tmp_path: Path) -> None:
    """They are named by the path that was given."""
    link = tmp_path / "link"
    link.symlink_to("/srv/app")
    assert f"{link}/remote" in [root.path for root in mounted(str(link)).remote]


def test_a_mount_that_comes_and_one_that_goes_are_noticed() -> None:
    """Each is named once."""
    lines = TEXT.splitlines()
    text = ["\n".join(lines[:5])]
    found = Mounted([Root("/srv/app")], lambda: parse(text[0]))
    assert found.update() == []
    text[0] = "\n".join(lines[:7])
    assert found.update() == ["/srv/app/remote", "/srv/app/remote/inner"]
    assert found.update() == []
    assert Root("/srv/app/remote") in found.remote
    text[0] = "\n".join(lines[:5])
    assert found.update() == ["/srv/app/remote", "/srv/app/remote/inner"]
    assert Root("/srv/app/remote") not in found.remote
    found.close()


REMOTE_LINES = r"""
40 28 0:50 / /work rw - nfs4 nas:/export/work rw,vers=4.2,hard
41 28 0:51 / /work rw - cifs //nas/work rw,vers=3.1.1
42 28 0:52 / /work rw - 9p C:\134 rw,aname=drvfs;path=C:\134;uid=1000
43 28 0:53 / /work rw - drvfs C: rw
44 28 0:54 / /work rw - virtiofs share rw
45 28 0:55 / /work rw - vboxsf share rw
46 28 0:56 / /work rw - fuse.sshfs me@host:/srv rw,user_id=0
47 28 0:57 / /work rw - fuse.grpcfuse grpcfuse rw
48 28 0:58 / /work rw - fuse bindfs rw
"""


@pytest.mark.parametrize("line", REMOTE_LINES.strip().splitlines())
def test_each_kind_of_remote_mount_is_polled_and_fenced_off(line: str) -> None:
    """As a root, as what is above a root, and as what is below one."""
    lines = "28 1 254:0 / / rw - ext4 /dev/vda rw\n" + line
    for root, polled in (("/work", "/work"), ("/work/a/b", "/work/a/b"), ("/", "/work")):
        assert [found.path for found in Mounted([Root(root)], lambda: parse(lines)).remote] == [polled]
    assert list(fences(parse(lines))) == ["/work"]
    assert Mounted([Root("/work"), Root("/")], lambda: parse(lines), aside=["/work"]).remote == {}


def test_a_fence_stands_where_the_first_remote_mount_on_the_way_is() -> None:
    """What is mounted below it is beyond it, too; what is covered is not there; and the root is no fence."""
    assert list(fences(table())) == ["/home", "/srv/app/remote", "/srv/app/with blank\tand\\", "/srv/application"]
    inner = "28 1 0:1 / / rw - nfs a:/ rw\n29 28 0:2 / /a rw - nfs a:/ rw\n30 29 0:3 / /a/b rw - 9p b rw\n"
    assert list(fences(parse(inner))) == ["/a"]


def test_a_thousand_mounts_of_this_machine_are_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where containers come and go, each of them brings some, and the table is looked at anew each time."""
    asked: list[str] = []

    def counted(path: str, among: Iterable[Mount]) -> Mount | None:
        asked.append(path)
        return mount_of(path, among)

    monkeypatch.setattr("autoreload.watch.mounted.mount_of", counted)
    lines = "".join(f"{n} 28 0:{n} / /run/{n} rw - overlay overlay rw\n" for n in range(100, 1100))
    assert list(fences(parse(lines + "29 28 0:2 / /a rw - nfs a:/ rw\n"))) == ["/a"]
    assert asked == ["/a"]


def test_a_path_is_followed_up_to_a_fence_and_no_further(tmp_path: Path) -> None:
    """Links before it are resolved; those beyond it nobody reads."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mnt").symlink_to("nowhere")  # as a link it would be followed
    (tmp_path / "link").symlink_to("a/../a")
    (tmp_path / "loop").symlink_to("loop")
    fence = f"{tmp_path}/a/mnt"
    assert real_path(f"{tmp_path}/link/./mnt/x/../y", [fence]) == f"{fence}/y"
    assert real_path(f"{tmp_path}/link/mnt", []) == f"{tmp_path}/a/nowhere"
    assert real_path(f"{tmp_path}/a", [fence]) == f"{tmp_path}/a"
    assert real_path(f"{tmp_path}/loop/x", []).startswith(str(tmp_path))
    assert real_path("/", []) == "/"


def overlay(options: str) -> str:
    """A root directory, and an overlay in it."""
    return f"28 1 254:0 / / rw - ext4 /dev/vda rw\n29 28 0:60 / /merged rw - overlay overlay {options}\n"


def test_the_layers_of_an_overlay_are_read_from_its_options() -> None:
    """Colons stand between lower ones, and may be part of a name; what separates options is octal."""
    options = r"rw,lowerdir=/a\040b:/c\134:d,upperdir=/u\054p,workdir=/w,lowerdir+=/e,datadir+=/f"
    assert layers(parse(overlay(options))[1]) == ["/a b", "/c:d", "/u,p", "/e", "/f"]
    assert layers(parse(overlay("rw"))[0]) == []


def test_an_overlay_is_polled_if_its_layers_are_within_reach(tmp_path: Path) -> None:
    """Those of a container are on its host: whatever can be changed is changed through the overlay."""

    def polled(options: str) -> list[str]:
        return [root.path for root in Mounted([Root("/merged/x")], lambda: parse(overlay(options))).remote]

    assert polled(f"rw,lowerdir=/no/such/folder:{tmp_path},upperdir=/no/such,workdir=/no") == ["/merged/x"]
    assert polled("rw,lowerdir=/var/lib/no/such/l/ABC:/var/lib/no/such/l/DEF,upperdir=/var/lib/no/such/diff") == []
    assert polled("rw,lowerdir=relative,workdir=/tmp") == []
