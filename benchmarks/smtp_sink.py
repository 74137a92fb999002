"""A mail server that takes every mail, counts it and keeps nothing: a process of its own.

``HELP`` answers how many mails it has taken. It serves two ports: one answers at once, the other
takes 50 ms to accept a mail.
"""

import asyncio
import socket
import sys

LOOPBACK = "127.0.0.1"
SLOW = 0.05
"""Seconds that the slow port takes to accept a mail."""


class Sink:
    """The server, and how many mails it has taken."""

    def __init__(self) -> None:
        self.mails = 0

    async def serve(self, delay: float) -> asyncio.Server:
        """Listen on a free port; each mail takes ``delay`` seconds."""

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await self.converse(reader, writer, delay)
            except ConnectionError:
                pass  # the client has gone
            finally:
                writer.close()

        return await asyncio.start_server(talk, LOOPBACK, 0)

    async def converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float
    ) -> None:
        """One session."""
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                await asyncio.sleep(delay)
                self.mails += 1
            answer = b"214 %d" % self.mails if verb == b"HELP" else b"250 ok"
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else answer + b"\r\n")
            if verb == b"QUIT":
                return


def received(port: int) -> int:
    """How many mails the sink on this port has taken."""
    with socket.create_connection((LOOPBACK, port), timeout=10) as connection:
        lines = connection.makefile("rb")
        lines.readline()
        connection.sendall(b"HELP\r\n")
        return int(lines.readline().split()[1])


async def main() -> None:
    """Print the two ports, and serve until the process is ended."""
    sink = Sink()
    servers = [await sink.serve(0), await sink.serve(SLOW)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
