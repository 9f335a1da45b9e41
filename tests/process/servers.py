"""Small servers that bind an address, with the runtime in them."""

from __future__ import annotations

import autoreload.runtime.sockets

INSTALL = f"""
import sys
from _frozen_importlib_external import SourceFileLoader
module = type(sys)("runtime_sockets")
loader = SourceFileLoader("runtime_sockets", {autoreload.runtime.sockets.__file__!r})
exec(loader.get_code("runtime_sockets"), module.__dict__)
address = sys.argv.pop(1)
if address != "-":
    module.install(address)
del sys, SourceFileLoader, module, loader
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
