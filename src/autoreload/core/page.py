"""What a client of a held socket is answered while there is no server: bytes in, bytes out.

A browser gets a page that loads the new code as soon as there is some, other programs get text. Who does not speak HTTP
gets nothing: to him it looks like a server that closed the connection.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

LONGEST_HEAD = 1 << 16
"""Bytes of a request, without what is sent after its head."""
LONGEST_METHOD = 20
MARK = "X-Autoreload"
"""The header by which the page knows that it would only see itself again."""
AGAIN = 1
"""Seconds after which other programs may try again."""
_ENDS = (b"\r\n\r\n", b"\n\n")
"""The second is that of a person with nc(1)."""


class Failure(NamedTuple):
    """Why there is no server."""

    command: str
    how: str
    """`exited with code 1`."""
    traceback: str = ""
    """What it said of it, if that is known."""


class Request(Enum):
    """What has come so far."""

    PART = "perhaps the beginning of a request"
    WHOLE = "the head of a request"
    OTHER = "not HTTP"


def judge(data: bytes) -> Request:
    """Is that a request?"""
    method = data[: LONGEST_METHOD + 1].partition(b" ")[0]
    if len(method) > LONGEST_METHOD or (method and not (method.isalpha() and method.isupper())):
        return Request.OTHER
    if any(end in data for end in _ENDS):
        version = data.partition(b"\n")[0].rstrip().rpartition(b" ")[2]
        return Request.WHOLE if version.startswith(b"HTTP/1.") else Request.OTHER
    return Request.OTHER if len(data) > LONGEST_HEAD else Request.PART


def answer(request: bytes, failure: Failure, may_tell: bool) -> bytes:
    """The response to a request. `may_tell`: whoever asks may see what is behind the failure."""
    lines = request.decode("latin-1").splitlines()
    accepts = "".join(line.partition(":")[2] for line in lines[1:] if line[:7].lower() == "accept:")
    if "text/html" in accepts:
        kind, body = "text/html", _html(failure, may_tell)
    else:
        kind, body = "text/plain", "\n".join(_lines(failure, may_tell)) + "\n"
    data = body.encode("utf-8", "backslashreplace")
    fields = (
        "HTTP/1.1 503 Service Unavailable",
        f"Content-Type: {kind}; charset=utf-8",
        f"Content-Length: {len(data)}",
        f"Retry-After: {AGAIN}",
        "Cache-Control: no-store",
        f"{MARK}: waiting",
        "Connection: close",
    )
    response = "\r\n".join((*fields, "", "")).encode("ascii")
    return response if request.startswith(b"HEAD ") else response + data


def _lines(failure: Failure, may_tell: bool) -> list[str]:
    if not may_tell:
        return ["The server is not running."]
    said = failure.traceback.rstrip("\n") or "What it said of it is in the terminal that autoreload runs in."
    return [f"The server is not running: {failure.command} {failure.how}.", "", said]


def _html(failure: Failure, may_tell: bool) -> str:
    what, *rest = map(_escaped, _lines(failure, may_tell))
    more = "\n".join(rest).strip("\n")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>The server is not running</title>
<noscript><meta http-equiv="refresh" content="{AGAIN}"></noscript>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
body {{ margin: 3rem auto; max-width: 60rem; padding: 0 1rem; }}
pre {{ border-left: 4px solid #d33; overflow: auto; padding: .5rem 1rem; font-size: 14px; }}
</style>
</head>
<body>
<h1>The server is not running</h1>
<p>{what}</p>
<pre>{more}</pre>
<p>This page shows the new code as soon as it runs.</p>
<script>
async function look() {{
  try {{
    const response = await fetch(location.href, {{method: "HEAD", cache: "no-store"}});
    if (!response.headers.has("{MARK}")) return location.reload();
  }} catch {{}}
  setTimeout(look, 300);
}}
setTimeout(look, 300);
</script>
</body>
</html>
"""


def _escaped(text: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(character, entity)
    return text
