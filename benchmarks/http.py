"""While a server restarts: how many connections are refused or reset, and how long does the slowest answer take?"""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import peers
from benchmarks.processes import Running
from benchmarks.tables import Section, median, table

SERVERS = ("gunicorn", "uvicorn", "hypercorn", "granian", "waitress", "flask", "django", "tornado", "aiohttp")
WSGI = """
import time
time.sleep(0.2)
VERSION = "version-1"
def app(environ, start_response):
    time.sleep(0.005)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(VERSION)))])
    return [VERSION.encode()]
"""
ASGI = """
import asyncio, time
time.sleep(0.2)
VERSION = "version-1"
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await asyncio.sleep(0.005)
    length = str(len(VERSION)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": VERSION.encode()})
"""
FLASK = """
import time
from flask import Flask
time.sleep(0.2)
VERSION = "version-1"
app = Flask(__name__)
@app.route("/")
def index():
    time.sleep(0.005)
    return VERSION
"""
DJANGO = """
import sys, time
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path
VERSION = "version-1"
def index(request):
    time.sleep(0.005)
    return HttpResponse(VERSION)
urlpatterns = [path("", index)]
if __name__ == "__main__":
    time.sleep(0.2)
    settings.configure(DEBUG=True, ROOT_URLCONF="__main__", ALLOWED_HOSTS=["*"], SECRET_KEY="x")
    execute_from_command_line(sys.argv)
"""
TORNADO = """
import asyncio, sys, time, tornado.web
time.sleep(0.2)
VERSION = "version-1"
class Index(tornado.web.RequestHandler):
    async def get(self):
        await asyncio.sleep(0.005)
        self.write(VERSION)
async def main():
    tornado.web.Application([("/", Index)], autoreload="reload" in sys.argv).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()
asyncio.run(main())
"""
AIOHTTP = """
import asyncio, sys, time
from aiohttp import web
time.sleep(0.2)
VERSION = "version-1"
async def index(request):
    await asyncio.sleep(0.005)
    return web.Response(text=VERSION)
app = web.Application()
app.add_routes([web.get("/", index)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""
PLAIN = """
import http.server, sys, time
time.sleep(0.2)
VERSION = "version-1"
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.005)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(VERSION.encode())
    def log_message(self, *ignored):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Server:
    """One of them, and how it reloads itself, if it can."""

    name: str
    source: str
    words: str
    """With {port}."""
    own: str = ""


ALL = (
    Server("http.server", PLAIN, "python app.py {port}"),
    Server("gunicorn -w 2", WSGI, "gunicorn -w 2 -b 127.0.0.1:{port} app:app", "--reload"),
    Server("uvicorn", ASGI, "uvicorn --port {port} --log-level error app:app", "--reload"),
    Server("uvicorn --workers 2", ASGI, "uvicorn --workers 2 --port {port} --log-level error app:app"),
    Server("hypercorn", ASGI, "hypercorn -b 127.0.0.1:{port} app:app", "--reload"),
    Server("granian", ASGI, "granian --interface asgi --port {port} app:app"),
    Server("waitress", WSGI, "waitress-serve --listen=127.0.0.1:{port} app:app"),
    Server("Werkzeug (flask run)", FLASK, "flask --app app run --port {port}", "--reload"),
    Server("Django runserver", DJANGO, "python app.py runserver --noreload {port}"),
    Server("Django runserver, its reloader", DJANGO, "python app.py runserver {port}"),
    Server("Tornado", TORNADO, "python app.py {port}", "reload"),
    Server("aiohttp", AIOHTTP, "python app.py {port}"),
)


def _own(*options: str) -> Callable[[Sequence[str]], list[str]]:
    return lambda command: [str(peers.BIN / "autoreload"), *options, "-e", ".py", "--", *command]


def _watchfiles(command: Sequence[str]) -> list[str]:
    return [str(peers.BIN / "watchfiles"), "--filter", "python", "--target-type", "command", shlex.join(command), "."]


TOOLS: dict[str, Callable[[Sequence[str]], list[str]]] = {
    "autoreload": _own(),
    "autoreload --warm": _own("--warm"),
    "autoreload --no-keep-sockets": _own("--no-keep-sockets"),
    "watchfiles": _watchfiles,
}


@dataclass(frozen=True)
class Outcome:
    """Of one server under one tool."""

    edits: int
    refused: int
    reset: int
    unanswered: int
    slowest: float
    restart: float
    """Median of the seconds from the save to the first answer of the new code."""
    complaint: str = ""


def measure(scratch: Path, quick: bool) -> Section:
    """Each server under each tool, one after the other."""
    if problem := peers.install(*SERVERS):
        raise SystemExit(f"benchmarks: {problem}")
    edits = 4 if quick else 20
    section = Section(
        "Requests during a restart",
        f"A client opens a connection every 10 ms, over {edits} edits; the application takes 200 ms to import and 5 ms "
        "for an answer. *Slowest* is the slowest answer, *restart* the median time from the save to the first answer "
        "of the new code; both in seconds.",
    )
    met = True
    for server in ALL:
        rows: list[Sequence[str | float]] = []
        calls = {**TOOLS, **({"its own": lambda command: list(command)} if server.own else {})}
        for name, call in calls.items():
            command = _command(server, name == "its own")
            outcome = watch(call, server.source, command, scratch / "tree", edits)
            gone = outcome.refused, outcome.reset + outcome.unanswered
            rows.append((name, outcome.edits, *gone, outcome.slowest, outcome.restart))
            met = met and (name != "autoreload" or (gone == (0, 0) and outcome.edits == edits))
        head = (server.name, "edits seen", "refused", "reset", "slowest", "restart")
        section.tables.append(table(head, rows))
    section.aim("nothing refused or reset by any of them", met)
    return section


def _command(server: Server, own: bool) -> list[str]:
    program, *words = f"{server.words} {server.own if own else ''}".split()
    return [str(peers.BIN / program), *words]


def watch(
    call: Callable[[Sequence[str]], list[str]], source: str, command: Sequence[str], tree: Path, edits: int
) -> Outcome:
    """Edit the application, and count what a client gets."""
    tree.mkdir(exist_ok=True)
    app = tree / "app.py"
    app.write_text(source)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = call([word.format(port=port) for word in command])
    saved: dict[str, float] = {}
    seen = 1
    with Running(argv, tree, tree.parent / "errors") as running:
        _await_answer(port, "version-1", 20)
        time.sleep(1)
        client = subprocess.Popen(
            [str(peers.PYTHON), str(peers.HERE / "client.py"), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2, edits + 2):
            version = f"version-{number}"
            app.write_text(re.sub("version-[0-9]+", version, source))
            saved[version] = time.monotonic()
            if _await_answer(port, version, 15):
                seen = number
            time.sleep(0.5)
        output = client.communicate()[0]
        complaint = running.complaint()
    return _counted(output, saved, seen - 1, complaint)


def _counted(output: str, saved: dict[str, float], edits: int, complaint: str) -> Outcome:
    lines = [line.split() for line in output.splitlines()]
    took = [float(seconds) for _, seconds, end in lines if end.startswith("version")]
    first: dict[str, float] = {}
    for began, seconds, end in lines:
        first.setdefault(end, float(began) + float(seconds))
    return Outcome(
        edits,
        sum(end == "refused" for *_, end in lines),
        sum(end not in ("refused", "none") and not end.startswith("version") for *_, end in lines),
        sum(end == "none" for *_, end in lines),
        max(took, default=float("nan")),
        median([first[version] - at for version, at in saved.items() if version in first]),
        complaint,
    )


def _await_answer(port: int, version: str, within: float) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), within) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                client.settimeout(within)
                heard = b""
                while part := client.recv(1 << 16):
                    heard += part
                if heard.endswith(version.encode()):
                    return True
        except OSError:
            pass
        time.sleep(0.05)
    return False
