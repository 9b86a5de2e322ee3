"""A service to stand behind the proxy: `serve.py PORT`.

Answers every request with its host's name, the path that was asked for, and the body that was sent.
`?slow=MS` holds the answer back for that long, `?size=BYTES` makes it longer. On SIGTERM it accepts
nobody any more, ends what it has begun, and exits.
"""

import asyncio
import os
import signal
import sys
from urllib.parse import parse_qs, urlsplit

NAME = os.uname().nodename


class Service:
    def __init__(self):
        self.connections = {}  # and whether each is busy
        self.stopping = False

    async def connected(self, reader, writer):
        self.connections[writer] = False
        try:
            while not self.stopping:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.connections[writer] = True
                await self.answer(head, reader, writer)
                self.connections[writer] = False
                if "\r\nconnection: close" in head.lower():
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # The other end has closed the connection.
        finally:
            del self.connections[writer]
            writer.close()

    async def answer(self, head, reader, writer):
        _, target, _ = head.split("\r\n", 1)[0].split(" ", 2)
        length = 0
        for line in head.split("\r\n")[1:]:
            name, _, value = line.partition(":")
            if name.lower() == "content-length":
                length = int(value)
        sent = (await reader.readexactly(length)).decode("latin-1")
        query = parse_qs(urlsplit(target).query)
        await asyncio.sleep(int(query.get("slow", ["0"])[0]) / 1000)
        body = f"{NAME} {target} {sent}\n" + "." * int(query.get("size", ["0"])[0]) + "\nend\n"
        close = "Connection: close\r\n" if self.stopping else ""
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{close}"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode("latin-1")
        )
        await writer.drain()

    async def run(self, port):
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        server = await asyncio.start_server(self.connected, "0.0.0.0", port, backlog=1024)
        await stop.wait()
        self.stopping = True
        server.close()
        for writer in [writer for writer, busy in self.connections.items() if not busy]:
            writer.close()
        while self.connections:
            await asyncio.sleep(0.01)


asyncio.run(Service().run(int(sys.argv[1])))
