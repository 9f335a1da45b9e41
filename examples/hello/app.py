"""A small web server to try autoreload with: `autoreload python examples/hello/app.py [PORT]`.

It reads everything once, at its start, as most servers do: it has to be restarted to show a change.
"""

from __future__ import annotations

import html
import os
import string
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from greeting import greeting

TEMPLATE = string.Template(Path(__file__).with_name("page.html").read_text("utf-8"))
PAGE = TEMPLATE.substitute(greeting=html.escape(greeting()), pid=os.getpid()).encode()


class Server(ThreadingHTTPServer):
    """On this machine only. A restart must get the port of the one before, also with connections in TIME_WAIT."""

    allow_reuse_address = True
    daemon_threads = True


class Hello(BaseHTTPRequestHandler):
    """Answers every request with the page."""

    def do_GET(self) -> None:
        """Send the page; never from a cache."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the browser asks every second."""


def main() -> None:
    """Serve until Ctrl-C."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    with Server(("127.0.0.1", port), Hello) as server:
        print(f"Hello is served at http://127.0.0.1:{port}/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
