"""`petops mcp`: the Prometheus MCP server."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer


def mcp(
    context: typer.Context,
    http: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve over HTTP instead of stdio.")
    ] = None,
    prometheus_url: Annotated[
        str | None, typer.Option(help="Prometheus' address, in place of PROMETHEUS_URL.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="PETOPS_MCP_TOKEN", help="Bearer token, needed off loopback."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="Name under which it may be called off loopback.")
    ] = None,
) -> None:
    """Serve Prometheus to MCP clients, over stdio or streamable HTTP."""
    from petops.programs.serving_mcp import served

    asyncio.run(
        served(
            context.obj,
            http=http,
            prometheus_url=prometheus_url,
            token=token,
            allowed_hosts=tuple(allowed_host or ()),
        )
    )
