"""A server on this machine that serves what a test puts there, and counts who asked."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Serving:
    """`pages`: path → (status, content type, body). What is not there is 404."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pages: dict[str, tuple[int, str, bytes]] = {}
        self.more: dict[str, dict[str, str]] = {}  # path → further headers
        self.gate = threading.Event()  # answers wait for it
        self.gate.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                outer.gate.wait(30)
                status, kind, body = outer.pages.get(self.path, (404, "text/plain", b"none"))
                self.send_response(status)
                if kind:
                    self.send_header("content-type", kind)
                for name, value in outer.more.get(self.path, {}).items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Silent."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def put(self, path: str, document: Any, kind: str = "application/ld+json") -> str:
        """Serve a JSON document; the URL of it."""
        self.pages[path] = (200, kind, json.dumps(document).encode())
        return self.url + path

    def close(self) -> None:
        """Go away: whoever asks now hears nothing."""
        self.http.shutdown()
        self.http.server_close()
