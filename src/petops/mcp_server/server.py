"""petops' Prometheus MCP server: its tools, under the names that other Prometheus servers use."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import Field

from petops import __version__
from petops.errors import SourceError
from petops.mcp_server import answers
from petops.mcp_server.answers import (
    Health,
    Limits,
    MetricMetadata,
    MetricNames,
    QueryAnswer,
    Targets,
)
from petops.mcp_server.asked import Prometheus
from petops.mcp_server.failures import Answered
from petops.mcp_server.gate import Gate, told
from petops.mcp_server.long_ranges import joined, parts_of
from petops.mcp_server.own_metrics import OwnMetrics
from petops.mcp_server.question_tools import QuestionTools

NAME = "petops-prometheus"
INSTRUCTIONS = (
    "Reads one Prometheus. Nothing here changes anything. `ask` takes questions in words; the "
    "other tools take PromQL. Values are strings (NaN and +Inf occur), times are Unix seconds. "
    "Where `leftOff` stands in an answer, the answer is incomplete."
)
MOST_TEXT_SAMPLES = 5_000  # past that, text that repeats the structured answer helps no reader

Query = Annotated[str, Field(description="PromQL expression")]
Moment = Annotated[str, Field(description="RFC 3339 or Unix seconds")]


class Tools:
    """The tools of one Prometheus. Their docstrings are what a client reads."""

    def __init__(self, client: Prometheus, limits: Limits, gate: Gate) -> None:
        self._client = client
        self._limits = limits
        self._gate = gate

    async def health_check(self) -> Annotated[CallToolResult, Health]:
        """Say whether this server runs and its Prometheus answers."""
        health = Health(
            status="healthy",
            service=NAME,
            version=__version__,
            prometheus_url=self._client.where,
            prometheus_connectivity="healthy",
        )
        try:
            await self._client.check()
        except SourceError as exc:
            health["status"], health["prometheus_connectivity"] = "degraded", "unhealthy"
            health["prometheus_error"] = exc.message
        return told(health)

    async def execute_query(
        self,
        query: Query,
        time: Annotated[
            str | float | None, Field(description="RFC 3339 or Unix seconds; now by default")
        ] = None,
    ) -> Annotated[CallToolResult, QueryAnswer]:
        """Evaluate a PromQL expression at one time.

        A range selector, as in metric{...}[10m], gives the samples as they were scraped.
        """
        async with self._gate.place():
            answered = await self._client.query(query, None if time is None else str(time))
            return told_query(answers.query_answer(answered, self._limits))

    async def execute_range_query(
        self,
        query: Query,
        start: Moment | float,
        end: Moment | float,
        step: Annotated[str | float, Field(description="Duration such as 15s, 1m, 1h, or seconds")],
        context: Context[Any, Any],
    ) -> Annotated[CallToolResult, QueryAnswer]:
        """Evaluate a PromQL expression at every step between two times.

        A long range is asked for in parts, of which each is told as progress.
        """
        parts = parts_of(query, str(start), str(end), str(step))
        async with self._gate.place():
            found = []
            for number, (first, last) in enumerate(parts, 1):
                found.append(await self._client.query_range(query, first, last, str(step)))
                answers.refuse_much_more(found, self._limits)
                if len(parts) > 1:
                    await context.report_progress(number, len(parts), f"up to {last}")
            return told_query(answers.query_answer(as_one(found), self._limits))

    async def list_metrics(
        self,
        limit: Annotated[int | None, Field(description="Most names to return")] = None,
        offset: Annotated[int, Field(description="Names to skip")] = 0,
        filter_pattern: Annotated[
            str | None, Field(description="Part of the name, upper or lower case")
        ] = None,
    ) -> Annotated[CallToolResult, MetricNames]:
        """List the names of the metrics that Prometheus holds, page by page."""
        async with self._gate.place():
            names = await self._client.metric_names()
            return told(answers.metric_names(names, self._limits, limit, offset, filter_pattern))

    async def get_metric_metadata(
        self, metric: Annotated[str, Field(description="Name of the metric")]
    ) -> Annotated[CallToolResult, MetricMetadata]:
        """Tell type, help and unit of a metric."""
        async with self._gate.place():
            return told(answers.metric_metadata(await self._client.metadata(metric), metric))

    async def get_targets(self) -> Annotated[CallToolResult, Targets]:
        """List what Prometheus scrapes, with each target's health and last error."""
        async with self._gate.place():
            return told(answers.targets(await self._client.targets(), self._limits))


def build_server(
    client: Prometheus, limits: Limits, own_metrics: OwnMetrics | None = None
) -> MCPServer[Any]:
    """Return the MCP server on a Prometheus; it neither opens nor closes `client`."""
    gate = Gate(limits)
    tools, questions = Tools(client, limits, gate), QuestionTools(client, limits, gate)
    with _root_logger_left_alone():
        server: MCPServer[Any] = MCPServer(NAME, version=__version__, instructions=INSTRUCTIONS)
    for title, tool in (
        ("Health", tools.health_check),
        ("PromQL at one time", tools.execute_query),
        ("PromQL over time", tools.execute_range_query),
        ("Metric names", tools.list_metrics),
        ("Metric metadata", tools.get_metric_metadata),
        ("Scrape targets", tools.get_targets),
        ("A question in words", questions.ask),
        ("PromQL in words", questions.explain_query),
        ("What is unusual", questions.detect_anomalies),
        ("Compare", questions.compare),
        ("What can be asked", questions.suggest_queries),
    ):
        hints = ToolAnnotations(
            title=title,
            read_only_hint=True,
            destructive_hint=False,
            idempotent_hint=True,
            open_world_hint=True,
        )
        counted = own_metrics.measured(tool) if own_metrics else tool
        server.add_tool(counted, title=title, annotations=hints)
    return server


def told_query(answer: QueryAnswer) -> CallToolResult:
    """Return a query's answer; of a long one the text only says how long it is."""
    if answer["resultType"] not in ("vector", "matrix"):
        return told(answer)
    samples = answers.count_samples(answer["result"])
    if samples <= MOST_TEXT_SAMPLES:
        return told(answer)
    text = (
        f"{answer['resultType']} of {len(answer['result'])} series with {samples} samples: too "
        "long as text. It stands in structuredContent; or select fewer series or a shorter time."
    )
    return told(answer, text)


def as_one(parts: Sequence[Answered]) -> Answered:
    """Return the answers to the parts of a range as the answer to the whole."""
    if len(parts) == 1:
        return parts[0]
    warnings = dict.fromkeys(one for part in parts for one in part.warnings)
    result = joined(part.data.get("result", ()) for part in parts)
    return Answered(data={"resultType": "matrix", "result": result}, warnings=tuple(warnings))


@contextmanager
def _root_logger_left_alone() -> Iterator[None]:
    """Keep MCPServer() from setting up logging: basicConfig leaves a root with handlers alone."""
    root, placeholder = logging.getLogger(), logging.NullHandler()
    root.addHandler(placeholder)
    try:
        yield
    finally:
        root.removeHandler(placeholder)
