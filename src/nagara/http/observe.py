"""How a running city is watched: JSON logs, Prometheus metrics, OpenTelemetry traces."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

#: A screen should have its answer in 0.1 s; the buckets tell where it did not.
BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

#: Log fields that could hold a person or a secret, whoever writes them.
_PRIVATE = frozenset(
    {"password", "secret", "token", "authorization", "cookie", "email", "phone", "contact", "words"}
)


def _hide_private(_: Any, __: str, event: Any) -> Any:
    for name in event:
        if name.lower() in _PRIVATE:
            event[name] = "…"
    return event


class Lines:
    """Writes each line to what is stderr *now*; a line that cannot be written is counted.

    A pipe whose reader went away, a full disk under a redirected log, a stream that its owner
    closed: none of these may stop the reader or the request that only wanted to tell of itself.
    """

    lost = 0

    def msg(self, message: str) -> None:
        """One line. Raises nothing."""
        try:
            sys.stderr.write(message + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            Lines.lost += 1

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def configure_logs(level: str = "info", form: str = "json") -> None:
    """Logs as JSON lines on stderr, or for a person's eye with `console`."""
    number = logging.getLevelNamesMapping()[level.upper()]
    last: Any = (
        structlog.dev.ConsoleRenderer()
        if form == "console"
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _hide_private,
            structlog.processors.format_exc_info,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: Lines(),
        cache_logger_on_first_use=True,
    )


class Gauges(Collector):
    """Numbers that are read when somebody looks: (name, meaning, labels, value)."""

    def __init__(
        self, read: Callable[[], Iterable[tuple[str, str, dict[str, str], float]]]
    ) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """prometheus_client's protocol."""
        families: dict[str, GaugeMetricFamily] = {}
        for name, meaning, labels, value in self._read():
            family = families.get(name)
            if family is None:
                family = families[name] = GaugeMetricFamily(name, meaning, labels=list(labels))
            family.add_metric(list(labels.values()), value)
        yield from families.values()


class Watch:
    """An ASGI layer that times every request, and traces it where that is switched on."""

    def __init__(self, app: Any, registry: CollectorRegistry, tracer: Any | None = None) -> None:
        self._app = app
        self._tracer = tracer
        self._seconds = Histogram(
            "nagara_http_seconds",
            "Time from request to the first byte of the answer",
            ["method", "part", "status"],
            registry=registry,
            buckets=BUCKETS_S,
        )
        self._series: dict[tuple[str, str, int], Any] = {}  # labels() takes longer than to count

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        # The first two steps of the path: enough to know the service, few enough to count.
        part = "/".join(scope["path"].split("/", 4)[:4])[:40]
        status = {"code": 0}

        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                status["code"] = message["status"]
                known = part if message["status"] != 404 else "unknown"
                series = (scope["method"], known, message["status"])
                counted = self._series.get(series)
                if counted is None:
                    counted = self._seconds.labels(series[0], known, str(series[2]))
                    self._series[series] = counted
                counted.observe(time.perf_counter() - started)
            await send(message)

        if self._tracer is None:
            await self._app(scope, receive, noting)
            return
        with self._tracer.start_as_current_span(f"{scope['method']} {part}") as span:
            await self._app(scope, receive, noting)
            span.set_attribute("http.response.status_code", status["code"])


def make_tracer(endpoint: str) -> Any | None:
    """A tracer that sends spans by OTLP over HTTP; None where no endpoint is set."""
    if not endpoint:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # 60 ms that few cities need
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "nagara"}))
    exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider.get_tracer("nagara")
