"""Small servers that bind an address, with the runtime in them."""

from __future__ import annotations

import os

import autoreload.runtime

INSTALL = f"""
import sys
package = type(sys)("autoreload:runtime")
package.__path__ = [{os.path.dirname(autoreload.runtime.__file__)!r}]
sys.modules["autoreload:runtime"] = package
address = sys.argv.pop(1)
if address != "-":
    __import__("autoreload:runtime.sockets", fromlist=["install"]).install(address)
del sys, package, address
"""
"""As it is injected: before anything imports socket."""
ACCEPTING = """
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("up", flush=True)
while True:
    client, _ = listener.accept()
    client.recv(99)
    client.sendall(sys.argv[3].encode())
    client.close()
"""
ASYNCIO = """
import asyncio, sys
async def answer(reader, writer):
    await reader.read(99)
    writer.write(sys.argv[3].encode())
    writer.close()
async def main():
    server = await asyncio.start_server(answer, sys.argv[1], int(sys.argv[2]))
    print("up", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
HTTP = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.wfile.write(sys.argv[3].encode())
    def log_message(self, *ignored):
        pass
server = http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler)
print("up", flush=True)
server.serve_forever()
"""
