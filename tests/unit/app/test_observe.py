"""How the city is watched: metrics that name no person, traces only where they are asked for."""

from __future__ import annotations

import io
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import structlog
from opentelemetry import trace
from prometheus_client import CollectorRegistry, generate_latest

from nagara.http.observe import Gauges, Lines, Watch, configure_logs, make_tracer


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hi"})


def test_logs_are_json_and_hide_what_is_private(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    structlog.reset_defaults()
    configure_logs("info", "json")
    structlog.get_logger("t").info("hello", password="s3cret", words="a person's words", count=3)
    line = json.loads(said.getvalue())
    assert (line["event"], line["count"]) == ("hello", 3)
    assert "s3cret" not in said.getvalue()
    assert "person's" not in said.getvalue()
    structlog.reset_defaults()


def test_a_log_that_nobody_can_take_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    configure_logs("info", "json")
    log = structlog.get_logger("t")
    before = Lines.lost
    log.info("into a closed stream")
    assert Lines.lost == before + 1
    heard = io.StringIO()
    monkeypatch.setattr(sys, "stderr", heard)
    log.info("into an open one")
    assert "into an open one" in heard.getvalue()
    structlog.reset_defaults()


async def test_requests_are_timed_by_service_not_by_id() -> None:
    registry = CollectorRegistry()
    registry.register(Gauges(lambda: [("nagara_lag", "Lag", {"reader": "a"}, 7.0)]))
    transport = httpx.ASGITransport(Watch(hello, registry))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        await client.get("/api/v1/reports/SECRET-CODE")
    text = generate_latest(registry).decode()
    assert 'part="/api/v1/reports"' in text
    assert "SECRET" not in text
    assert 'nagara_lag{reader="a"} 7.0' in text


def test_traces_are_off_unless_an_endpoint_is_set() -> None:
    assert make_tracer("") is None


async def test_traces_reach_the_collector_that_is_set() -> None:
    bodies: list[bytes] = []
    heard = threading.Event()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()
            heard.set()

        def log_message(self, *_: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tracer = make_tracer(f"http://127.0.0.1:{server.server_port}")
    assert isinstance(tracer, trace.Tracer)
    transport = httpx.ASGITransport(Watch(hello, CollectorRegistry(), tracer))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        await client.get("/api/v1/city")
    tracer.span_processor.force_flush()  # type: ignore[attr-defined]
    assert heard.wait(10)
    server.shutdown()
    assert any(b"GET /api/v1/city" in body for body in bodies)
