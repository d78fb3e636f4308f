"""What is counted, for `GET /metrics` in Prometheus' text format.

The registry is our own, not the library's global one: two services in one process count apart.
Labels come from closed sets (route, method, status), never from what a client sends.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from taijitu.server.http import HttpAnswer

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Upper bounds of the histogram's buckets."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE", "PATCH"})


class Meter:
    """The counters of one service. Others may add their own to `registry`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "taijitu_http_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "taijitu_http_request_seconds",
            "Time from a request's headers to the last byte of its answer.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.under_way = Gauge(
            "taijitu_http_requests_under_way", "Requests being answered.", registry=self.registry
        )
        self.bytes_in = Counter(
            "taijitu_received_bytes",
            "Bytes of request bodies taken in.",
            ("route",),
            registry=self.registry,
        )
        self.bytes_out = Counter(
            "taijitu_sent_bytes",
            "Bytes of answers' bodies given out.",
            ("route",),
            registry=self.registry,
        )
        self.counters: dict[tuple[str, str, int], Counter] = {}

    def count(
        self, route: str, method: str, status: int, *, seconds: float, got: int, gave: int
    ) -> None:
        """One request: how it went, how long it took, the bytes of both bodies."""
        method = method if method in METHODS else "other"
        key = route, method, status
        counter = self.counters.get(key)
        if counter is None:
            counter = self.counters[key] = self.requests.labels(route, method, str(status))
        counter.inc()
        self.seconds.labels(route).observe(seconds)
        if got:
            self.bytes_in.labels(route).inc(got)
        if gave:
            self.bytes_out.labels(route).inc(gave)

    def answer(self) -> HttpAnswer:
        """Everything counted so far."""
        return HttpAnswer(
            200, {"content-type": CONTENT_TYPE_LATEST}, generate_latest(self.registry)
        )
