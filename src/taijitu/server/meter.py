"""What is counted, for `GET /metrics` in Prometheus' text format.

The registry is our own, not the library's global one: two services in one process count apart.
Labels come from closed sets (route, method, status), never from what a client sends.
"""

from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from taijitu.server.http import HttpAnswer

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Upper bounds of the histogram's buckets."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE", "PATCH"})

OUTCOMES: Final = frozenset(
    {
        "ok",
        "not ready",
        "fault",
        "AccountBlocked",
        "AccountPlanMissing",
        "AllocatedMemoryHadNotBeenWrittenTo",
        "BlobNotFound",
        "BlobSizeOutsideOfSupportedRange",
        "ConsumerNotFound",
        "ContentMismatch",
        "CustomerNotFound",
        "DecodeFailure",
        "DelegationNotFound",
        "HandlerExecutionError",
        "HandlerNotFound",
        "IndexNotFound",
        "IndexTooLarge",
        "InsufficientStorage",
        "InvalidAudience",
        "InvalidProvider",
        "InvocationCapabilityError",
        "LoginExpired",
        "LoginNotFound",
        "NoSubscription",
        "PlanNotFound",
        "RateLimitsNotFound",
        "RecordNotFound",
        "ShardNotFound",
        "SizeMismatch",
        "SliceMismatch",
        "SliceOutOfRange",
        "SlicesOverlap",
        "SpaceAlreadyProvisioned",
        "SpaceUnknown",
        "StoreItemNotFound",
        "SubscriptionNotFound",
        "TooManyDelegations",
        "TooManyLogins",
        "TooManyRateLimits",
        "TooManyShards",
        "UCANNotFound",
        "Unauthorized",
        "UnknownFormat",
        "UnknownProvider",
        "UnsupportedCapability",
        "UploadNotFound",
    }
)
"""Ways of an invocation to go that are counted by name. All others are an `error`: some names of
errors are the client's words."""


class Measures(NamedTuple):
    """What is measured of one route. Kept, because finding it by its label costs more than it."""

    seconds: Histogram
    bytes_in: Counter
    bytes_out: Counter


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
        self.invocations = Counter(
            "taijitu_invocations",
            "Invocations by ability and outcome: ok, not ready (ask again), fault, which error.",
            ("ability", "outcome"),
            registry=self.registry,
        )
        self.abilities: frozenset[str] = frozenset()
        """Those that are counted by their names."""
        self.invocations_of: dict[tuple[str, str], Counter] = {}
        self.requests_of: dict[tuple[str, str, int], Counter] = {}
        self.measures_of: dict[str, Measures] = {}

    def count(
        self, route: str, method: str, status: int, *, seconds: float, got: int, gave: int
    ) -> None:
        """One request: how it went, how long it took, the bytes of both bodies."""
        key = route, method if method in METHODS else "other", status
        requests = self.requests_of.get(key)
        if requests is None:
            requests = self.requests_of[key] = self.requests.labels(*map(str, key))
        measures = self.measures_of.get(route)
        if measures is None:
            measures = self.measures_of[route] = Measures(
                self.seconds.labels(route),
                self.bytes_in.labels(route),
                self.bytes_out.labels(route),
            )
        requests.inc()
        measures.seconds.observe(seconds)
        if got:
            measures.bytes_in.inc(got)
        if gave:
            measures.bytes_out.inc(gave)

    def told(self, can: str, outcome: str) -> None:
        """One invocation of an ability. Those we do not have are counted as `other`: whoever asks
        must not be able to make up labels."""
        key = (
            can if can in self.abilities else "other",
            outcome if outcome in OUTCOMES else "error",
        )
        counter = self.invocations_of.get(key)
        if counter is None:
            counter = self.invocations_of[key] = self.invocations.labels(*key)
        counter.inc()

    def answer(self) -> HttpAnswer:
        """Everything counted so far."""
        return HttpAnswer(
            200, {"content-type": CONTENT_TYPE_LATEST}, generate_latest(self.registry)
        )
