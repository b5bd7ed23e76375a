"""Settings, and what asks Prometheus by them: all that a command needs which runs no engine.

Apart from `app.py`, whose adapters and engine take longer to load than a question to answer.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from mcp.client.stdio import StdioServerParameters

from petops.config import Settings
from petops.errors import UsageError
from petops.mcp_server.answers import Limits
from petops.mcp_server.client import PrometheusAccess, PrometheusHttp, header_lines
from petops.mcp_server.server import build_server
from petops.mcp_server.sigv4 import SigV4, region_of
from petops.mcp_server.through import PrometheusThroughMcp
from petops.sources.mcp_caller import McpCaller, McpUrl, Target


def limits(settings: Settings) -> Limits:
    """Return how much petops' own MCP server answers with, and how much at once."""
    prometheus = settings.prometheus
    return Limits(
        max_series=prometheus.max_series,
        max_samples=prometheus.max_samples,
        concurrent_queries=prometheus.concurrent_queries,
    )


def prometheus_client(settings: Settings) -> PrometheusHttp:
    """Return the HTTP client of the Prometheus that is set."""
    prometheus = settings.prometheus
    if not prometheus.url:
        raise UsageError("no Prometheus is set", hint="set PROMETHEUS_URL, or prometheus.url")
    region = prometheus.sigv4_region or region_of(prometheus.url)
    access = PrometheusAccess(
        url=prometheus.url,
        user=prometheus.user,
        password=prometheus.password,
        token=prometheus.token,
        auth=SigV4(region) if region else None,
        headers=header_lines(prometheus.headers),
        timeout_seconds=prometheus.timeout_seconds,
    )
    return PrometheusHttp(access)


def other_server(settings: Settings) -> Target | None:
    """Return the MCP server that is set in place of petops' own, if one is."""
    prometheus = settings.prometheus
    if prometheus.mcp_url:
        return McpUrl(url=prometheus.mcp_url, token=prometheus.mcp_token)
    if prometheus.mcp_command:
        return mcp_child(prometheus.mcp_command, os.environ)
    return None


def mcp_child(command: str, environment: Mapping[str, str]) -> StdioServerParameters:
    """Return how an MCP server is started over stdio; it inherits only what it may need."""
    words = shlex.split(command)
    if not words:
        raise UsageError("prometheus.mcp_command is empty")
    passed = ("AWS_", "PROMETHEUS_", "PETOPS_PROMETHEUS_", "SSL_CERT", "REQUESTS_CA_BUNDLE")
    env = {
        key: value
        for key, value in environment.items()
        if key.startswith(passed) or key.lower().endswith("_proxy")
    }
    return StdioServerParameters(command=words[0], args=words[1:], env=env)


@asynccontextmanager
async def metrics_server(settings: Settings) -> AsyncIterator[McpCaller]:
    """Open the MCP server that queries go to: another's where one is set, else our own."""
    async with AsyncExitStack() as stack:
        target = other_server(settings)
        if target is None:
            client = await stack.enter_async_context(prometheus_client(settings))
            target = build_server(client, limits(settings))
        yield await stack.enter_async_context(McpCaller(target))


@asynccontextmanager
async def question_server(settings: Settings) -> AsyncIterator[McpCaller]:
    """Open an MCP server that understands words: one that does not is asked through our own."""
    async with metrics_server(settings) as server:
        if other_server(settings) is None or await server.has("ask"):
            yield server
            return
        through = build_server(PrometheusThroughMcp(server), limits(settings))
        async with McpCaller(through) as ours:
            yield ours
