"""A receiver of notifications that only counts: a process of its own, so that it is not measured.

Prints its port; answers GET with the number of notifications taken.
"""

from __future__ import annotations

import asyncio

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Taking(asyncio.Protocol):
    """Takes what is posted on one connection."""

    taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment] # TCP
        self.held = b""

    def data_received(self, data: bytes) -> None:
        """Answer each message that is complete."""
        self.held += data
        while True:
            end = self.held.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.held[:end]
            if head.startswith(b"GET"):
                said = b"%d" % Taking.taken
                self.transport.write(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said)
                )
                self.held = self.held[end + 4 :]
                continue
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self.held) < end + 4 + length:
                return
            self.held = self.held[end + 4 + length :]
            Taking.taken += 1
            self.transport.write(ANSWER)


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Taking, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
