"""A small relay for conformance suites that ask for more than HTTP does.

    python scripts/conformance_relay.py --listen 127.0.0.1:9090 --to 127.0.0.1:8080 [--token nag_…]

It spells the names of response headers with capitals: ETSI's suite looks for `Location` in just
that spelling (033_11), though their names are the same in any (RFC 9110, 5.1). With a token it lets
a suite on another machine into a closed city: whoever reaches the relay may do what the token may.
One thread a connection, bodies whole in memory: for a suite, not for a city.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade"}
OWN = HOP_BY_HOP | {"content-length", "server", "date"}  # written by the relay itself
NO_BODY = {204, 304}
ANSWER_S_MAX = 120


def split(address: str) -> tuple[str, int]:
    """`host:port` in two."""
    host, _, port = address.rpartition(":")
    return host, int(port)


class Relay(BaseHTTPRequestHandler):
    """One request to the city and its answer back."""

    protocol_version = "HTTP/1.1"
    to = ("127.0.0.1", 8080)
    token: str | None = None

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass

    def relay(self) -> None:
        """Ask the city and tell what it says."""
        kept = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        if self.token is not None:
            kept["Authorization"] = f"Bearer {self.token}"
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        city = http.client.HTTPConnection(*self.to, timeout=ANSWER_S_MAX)
        if chunked:  # sent on so, for that is what 411 is about
            kept["Transfer-Encoding"] = "chunked"
            body = list(self._chunks())
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # answered before
                city.request(self.command, self.path, iter(body), kept, encode_chunked=True)
        else:
            length = int(self.headers.get("Content-Length", 0))
            city.request(self.command, self.path, self.rfile.read(length) or None, kept)
        answer = city.getresponse()
        said = answer.read()
        city.close()
        self.send_response(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in OWN:
                self.send_header(name.title(), value)
        if answer.status not in NO_BODY:
            self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        if answer.status not in NO_BODY and self.command != "HEAD":
            self.wfile.write(said)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = relay  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: the suite tells what it asked."""


def main() -> None:
    """Relay until Ctrl-C."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    asked.add_argument("--listen", default="127.0.0.1:9090", metavar="HOST:PORT")
    asked.add_argument("--to", default="127.0.0.1:8080", metavar="HOST:PORT")
    asked.add_argument("--token", metavar="TOKEN")
    given = asked.parse_args()
    Relay.to, Relay.token = split(given.to), given.token
    with contextlib.suppress(KeyboardInterrupt):
        ThreadingHTTPServer(split(given.listen), Relay).serve_forever()


if __name__ == "__main__":
    main()
