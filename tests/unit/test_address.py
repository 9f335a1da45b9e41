"""Where to listen, from the words of a person."""

from __future__ import annotations

import pytest

from autoreload.core.address import Address, below, parse


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("8000", Address("127.0.0.1", 8000), "127.0.0.1:8000"),
        ("0", Address("127.0.0.1", 0), "127.0.0.1:0"),
        ("65535", Address("127.0.0.1", 65535), "127.0.0.1:65535"),
        ("0.0.0.0:80", Address("0.0.0.0", 80), "0.0.0.0:80"),
        ("localhost:80", Address("localhost", 80), "localhost:80"),
        ("[::1]:80", Address("::1", 80), "[::1]:80"),
        ("unix:a b.sock", Address(path="a b.sock"), "unix:a b.sock"),
        ("unix:/run/x:1", Address(path="/run/x:1"), "unix:/run/x:1"),
    ],
)
def test_an_address_is_understood(text: str, address: Address, shown: str) -> None:
    """And written in full."""
    assert parse(text) == address
    assert str(address) == shown
    assert parse(shown) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "65536",
        "-1",
        ":80",
        "::1:80",
        "a:b",
        "a:",
        "[::1]",
        "[::1]:",
        "unix:",
        "unix:/tmp/",
        "unix:a\0",
        "80 ",
        "²",
    ],
)
def test_what_is_none_is_refused(text: str) -> None:
    """With what it has to be."""
    with pytest.raises(ValueError, match=r"a port, HOST:PORT, \[IPV6\]:PORT or unix:PATH"):
        parse(text)


def test_a_path_belongs_to_a_folder() -> None:
    """That of who wrote it."""
    assert below("unix:x.sock", "/a/b") == "unix:/a/b/x.sock"
    assert below("unix:/x.sock", "/a/b") == "unix:/x.sock"
    assert below("80", "/a/b") == "80"


@pytest.mark.parametrize(
    ("text", "name"), [("[::]:80", "80"), ("unix:/run/app.sock", "app.sock"), ("unix:/a:é\n.sock", "a___.sock")]
)
def test_its_name_is_one_for_sd_listen_fds(text: str, name: str) -> None:
    """No colon, nothing that is not ASCII."""
    assert parse(text).name == name
