"""Serves petops' Prometheus MCP server by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from petops.errors import UsageError
from petops.mcp_server.serving import serve_http, serve_stdio
from petops.metrics_access import limits, prometheus_client
from petops.programs.attach import settings_here
from petops.programs.printing import note
from petops.secrets_access import with_secrets
from petops.sources.secrets_manager import secret


async def served(
    config: Path | None,
    *,
    http: str | None,
    prometheus_url: str | None,
    token: str | None,
    allowed_hosts: tuple[str, ...],
) -> None:
    """Serve until the client goes, or until the process is told to end."""
    settings = settings_here(config).settings
    if prometheus_url:
        settings = replace(settings, prometheus=replace(settings.prometheus, url=prometheus_url))
    host, port = address(http) if http else ("", 0)
    settings = await with_secrets(settings, note)
    token = await secret(token) if token else token
    async with prometheus_client(settings) as client:
        if http is None:
            await serve_stdio(client, limits(settings))
        else:
            await serve_http(
                *(client, limits(settings), host, port, token, allowed_hosts), on_ready=_ready
            )


def _ready(url: str) -> None:
    note(f"MCP at {url}, with /health and /metrics beside it; Ctrl-C ends")


def address(text: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT; raise UsageError for what is none."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{text[:80]!r} is not HOST:PORT", hint="for example 127.0.0.1:8080")
    return host.strip("[]"), int(port)
