"""What the tools ask of a Prometheus, whatever stands between."""

from __future__ import annotations

from typing import Protocol

from petops.mcp_server.failures import Answered


class Prometheus(Protocol):
    """A Prometheus that can be asked. Each call raises SourceError where there is no good answer.

    `PrometheusHttp` asks it itself, `PrometheusThroughMcp` by way of another MCP server.
    """

    @property
    def where(self) -> str:
        """The address for people to read."""

    async def query(self, query: str, time: str | None = None) -> Answered:
        """Evaluate at one time."""

    async def query_range(self, query: str, start: str, end: str, step: str) -> Answered:
        """Evaluate at every step from start to end."""

    async def metric_names(self) -> tuple[str, ...]:
        """Return the names of all metrics, sorted."""

    async def label_values(self, label: str, match: str | None = None) -> tuple[str, ...]:
        """Return the values that a label has."""

    async def metadata(self, metric: str) -> Answered:
        """Return type, help and unit of one metric."""

    async def targets(self) -> Answered:
        """Return the targets that are being scraped."""

    async def check(self, timeout_seconds: float = 3.0) -> None:
        """Raise SourceError unless queries are answered."""
