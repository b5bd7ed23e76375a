"""What this server tells Prometheus of itself: calls by tool and outcome, and their seconds."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

P = ParamSpec("P")
R = TypeVar("R")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class OwnMetrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._calls = Counter(
            "petops_mcp_calls", "Calls of a tool", ("tool", "outcome"), registry=self._registry
        )
        self._seconds = Histogram(
            "petops_mcp_call_seconds",
            "How long calls of a tool took",
            ("tool",),
            buckets=_SECONDS,
            registry=self._registry,
        )

    def measured(self, tool: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        """Return the tool, its calls counted; its signature stays what clients see."""
        name = getattr(tool, "__name__", "tool")
        for outcome in ("ok", "error"):
            self._calls.labels(name, outcome)

        @wraps(tool)
        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            began, outcome = time.perf_counter(), "error"
            try:
                answer = await tool(*args, **kwargs)
                outcome = "ok"
                return answer
            finally:
                self._calls.labels(name, outcome).inc()
                self._seconds.labels(name).observe(time.perf_counter() - began)

        return call

    def response(self) -> Response:
        """Return the figures as Prometheus scrapes them."""
        return Response(
            generate_latest(self._registry), headers={"content-type": CONTENT_TYPE_LATEST}
        )
