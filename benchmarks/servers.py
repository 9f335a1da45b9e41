"""The servers of the question http, each with a small application, and how each reloads itself, if it can."""

from __future__ import annotations

from dataclasses import dataclass

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
    """One of them."""

    name: str
    source: str
    """Of its application, app.py."""
    words: str
    """How it is started, with {port}; the program is one of the environment of the servers."""
    own: str = ""
    """How it is started if it shall reload itself; empty: it cannot."""
    module: str = ""
    """The module that hupper runs instead of the program; empty: that of the program's name."""


ALL = (
    Server("http.server", PLAIN, "python app.py {port}"),
    Server(
        "gunicorn, two workers",
        WSGI,
        "gunicorn -w 2 -b 127.0.0.1:{port} app:app",
        "gunicorn -w 2 --reload -b 127.0.0.1:{port} app:app",
    ),
    Server(
        "uvicorn",
        ASGI,
        "uvicorn --port {port} --log-level error app:app",
        "uvicorn --reload --port {port} --log-level error app:app",
    ),
    Server(
        "hypercorn",
        ASGI,
        "hypercorn -b 127.0.0.1:{port} app:app",
        "hypercorn --reload -b 127.0.0.1:{port} app:app",
    ),
    Server(
        "granian",
        ASGI,
        "granian --interface asgi --port {port} app:app",
        "granian --reload --interface asgi --port {port} app:app",
    ),
    Server("waitress", WSGI, "waitress-serve --listen=127.0.0.1:{port} app:app", module="waitress"),
    Server(
        "Werkzeug (flask run)",
        FLASK,
        "flask --app app run --port {port}",
        "flask --app app run --reload --port {port}",
    ),
    Server(
        "Django runserver",
        DJANGO,
        "python app.py runserver --noreload {port}",
        "python app.py runserver {port}",
    ),
    Server("Tornado", TORNADO, "python app.py {port}", "python app.py {port} reload"),
    Server("aiohttp", AIOHTTP, "python app.py {port}"),
)
