"""Does the MCP server answer, does Prometheus behind it, and does it hold what is asked for?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Final

from petops.config import Settings
from petops.errors import PetopsError, SourceError
from petops.metrics_access import metrics_server
from petops.programs.doctor_check import Check, broken, failed, ok, unknown, warning
from petops.sources.mcp_caller import McpCaller

MCP: Final = "mcp server"
PROMETHEUS: Final = "prometheus"
_TOOL: Final = "execute_query"
_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 8.0

SERIES: Final[Mapping[str, tuple[str, bool, str]]] = {
    "kube-state-metrics": (
        "kube_pod_info",
        True,
        "install kube-state-metrics, and let this Prometheus scrape it",
    ),
    "cadvisor": (
        "container_memory_working_set_bytes",
        True,
        "let this Prometheus scrape each kubelet's /metrics/cadvisor",
    ),
    "node exporter": (
        "node_memory_MemAvailable_bytes",
        False,
        "install node-exporter, for diagnoses of nodes",
    ),
    "application metrics": (
        "http_requests_total",
        False,
        "count requests in the services, for diagnoses of slow and failing ones",
    ),
}
"""A metric that each exporter must have, whether diagnoses need it, and what to do without."""

NAMES: Final = (MCP, PROMETHEUS, *SERIES)


async def look(settings: Settings) -> Sequence[Check]:
    """Ask as an investigation does: through the MCP server."""
    if not _is_set(settings):
        fix = "set PROMETHEUS_URL, or prometheus.mcp_url in petops.toml"
        told = "no Prometheus is set: investigations go on without metrics"
        return warning(MCP, told, fix), *_unknown(NAMES[1:], "no Prometheus is set")
    async with AsyncExitStack() as stack:
        try:
            caller = await stack.enter_async_context(metrics_server(settings))
        except PetopsError as exc:
            return failed(MCP, exc), *_unknown(NAMES[1:], "the MCP server cannot be used")
        return await _through(caller, settings)


def _is_set(settings: Settings) -> bool:
    return bool(settings.prometheus.url) or _is_other(settings)


def _is_other(settings: Settings) -> bool:
    return bool(settings.prometheus.mcp_url or settings.prometheus.mcp_command)


async def _through(caller: McpCaller, settings: Settings) -> Sequence[Check]:
    try:
        tools = await caller.tools(_CONNECT_SECONDS)
    except SourceError as exc:
        return (
            broken(MCP, exc.message, _mcp_fix(settings)),
            *_unknown(NAMES[1:], "the MCP server is not there"),
        )
    found = ok(MCP, f"{caller.name} answers, with {len(tools)} tools")
    try:
        await _count(caller, "vector(1)")
    except SourceError as exc:
        if "has no tool" in exc.message:
            found = broken(MCP, exc.message, "is that a Prometheus MCP server?")
        where = settings.prometheus.url or "the address that the MCP server has"
        fix = f"does `curl {where}/api/v1/query?query=1` answer?"
        return (
            found,
            broken(PROMETHEUS, exc.message, fix),
            *_unknown(SERIES, "Prometheus does not answer"),
        )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_series(caller, name)) for name in SERIES]
    return found, ok(PROMETHEUS, "queries are answered"), *(task.result() for task in tasks)


async def _series(caller: McpCaller, name: str) -> Check:
    metric, is_needed, fix = SERIES[name]
    try:
        count = await _count(caller, f"count({metric})")
    except SourceError as exc:
        return failed(name, exc)
    if count:
        return ok(name, f"{count} series of {metric}")
    told = f"Prometheus has no {metric}"
    return broken(name, told, fix) if is_needed else warning(name, told, fix)


async def server_time(settings: Settings) -> datetime:
    """Return Prometheus' own time."""
    if not _is_set(settings):
        raise SourceError("no Prometheus is set")
    async with metrics_server(settings) as caller:
        await caller.tools(_CONNECT_SECONDS)
        return datetime.fromtimestamp(await _value(caller, "time()"), UTC)


async def _count(caller: McpCaller, query: str) -> int:
    return int(await _value(caller, query))


async def _value(caller: McpCaller, query: str) -> float:
    """Return a query's one value; 0 where there is none."""
    answer: Mapping[str, Any] = await caller.call(_TOOL, {"query": query}, _SECONDS)
    result = answer.get("result")
    try:
        if answer.get("resultType") == "scalar":
            return float(result[1])  # type: ignore[index]
        return float(result[0]["value"][1]) if result else 0.0
    except (TypeError, ValueError, KeyError, IndexError) as exc:
        raise SourceError("the MCP server's answer is not as Prometheus writes it") from exc


def _mcp_fix(settings: Settings) -> str:
    prometheus = settings.prometheus
    if prometheus.mcp_url:
        return (
            "kubectl get pods -n devops-agent -l app=prometheus-mcp-server; "
            "is prometheus.mcp_token the server's own?"
        )
    if prometheus.mcp_command:
        return f"does `{prometheus.mcp_command}` start by hand?"
    return "set PROMETHEUS_URL, or prometheus.mcp_url in petops.toml"


def _unknown(names: Sequence[str] | Mapping[str, object], why: str) -> tuple[Check, ...]:
    return tuple(unknown(one, why) for one in names)
