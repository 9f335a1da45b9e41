"""What clients are answered while there is no server."""

from __future__ import annotations

import pytest

from autoreload.core.page import LONGEST_HEAD, MARK, Failure, Request, answer, judge

FAILURE = Failure("python app.py", "exited with code 1", "File \"<a&b>\", line 1\nNameError: 'x'\n")
BROWSER = b"GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html,*/*;q=0.8\r\n\r\n"
CURL = b"GET / HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n"


def parts(response: bytes) -> tuple[str, dict[str, str], str]:
    """The first line, the fields, the body."""
    head, _, body = response.partition(b"\r\n\r\n")
    first, *fields = head.decode("ascii").split("\r\n")
    return first, dict(field.split(": ", 1) for field in fields), body.decode()


@pytest.mark.parametrize(
    ("data", "request_is"),
    [
        (b"", Request.PART),
        (b"GE", Request.PART),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", Request.PART),
        (CURL, Request.WHOLE),
        (b"POST /a HTTP/1.0\r\n\r\nbody", Request.WHOLE),
        (b"GET / HTTP/1.0\n\n", Request.WHOLE),
        (b"PROPFIND / HTTP/1.1\r\n\r\n", Request.WHOLE),
        (b"\x16\x03\x01\x02\x00", Request.OTHER),
        (b"EHLO x\r\n\r\n", Request.OTHER),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Request.OTHER),
        (b"get / HTTP/1.1\r\n\r\n", Request.OTHER),
        (b"A" * 21, Request.OTHER),
        (b"GET /" + b"x" * LONGEST_HEAD, Request.OTHER),
    ],
)
def test_what_is_a_request(data: bytes, request_is: Request) -> None:
    """TLS, HTTP/2, SMTP and noise are none; half of one may become one."""
    assert judge(data) is request_is


@pytest.mark.parametrize("request_is", [BROWSER, CURL])
def test_a_response_is_whole(request_is: bytes) -> None:
    """503, its length, when to try again, never kept by a cache."""
    first, fields, body = parts(answer(request_is, FAILURE, may_tell=True))
    assert first == "HTTP/1.1 503 Service Unavailable"
    assert int(fields["Content-Length"]) == len(body.encode())
    assert fields["Retry-After"] == "1"
    assert fields["Cache-Control"] == "no-store"
    assert fields["Connection"] == "close"
    assert MARK in fields


def test_a_program_gets_text() -> None:
    """The traceback as it is."""
    _, fields, body = parts(answer(CURL, FAILURE, may_tell=True))
    assert fields["Content-Type"] == "text/plain; charset=utf-8"
    assert body == "The server is not running: python app.py exited with code 1.\n\n" + FAILURE.traceback


def test_a_browser_gets_a_page() -> None:
    """Escaped; it looks for the new code by itself."""
    _, fields, body = parts(answer(BROWSER, FAILURE, may_tell=True))
    assert fields["Content-Type"] == "text/html; charset=utf-8"
    assert "File &quot;&lt;a&amp;b&gt;&quot;, line 1\nNameError: &#39;x&#39;" in body
    assert f'has("{MARK}")' in body
    assert "<a&b>" not in body


def test_without_a_traceback_it_says_where_to_look() -> None:
    """It is in the terminal."""
    body = parts(answer(CURL, FAILURE._replace(traceback=""), may_tell=True))[2]
    assert "in the terminal that autoreload runs in" in body


@pytest.mark.parametrize("request_is", [BROWSER, CURL])
def test_strangers_are_told_nothing(request_is: bytes) -> None:
    """Neither the command nor its traceback."""
    body = parts(answer(request_is, FAILURE, may_tell=False))[2]
    assert "The server is not running." in body
    assert "app.py" not in body
    assert "NameError" not in body


def test_head_has_no_body() -> None:
    """But its length."""
    first, fields, body = parts(answer(b"HEAD" + CURL[3:], FAILURE, may_tell=True))
    assert (first[-19:], body) == ("Service Unavailable", "")
    assert int(fields["Content-Length"]) > 0


@pytest.mark.parametrize("request_is", [b"GET / HTTP/1.1\r\n\xff\xfe: \x00\r\n\r\n", b"GET"])
def test_odd_requests_are_answered(request_is: bytes) -> None:
    """Bytes that are no text, and a beginning whose end was not waited for."""
    assert b" 503 " in answer(request_is, FAILURE._replace(traceback="\udcff"), may_tell=True)
