"""Run petops' MCP server as a process of its own: `serve.py PROMETHEUS_URL [PORT]`."""

from __future__ import annotations

import asyncio
import sys

from petops.mcp_server.answers import Limits
from petops.mcp_server.client import PrometheusAccess, PrometheusHttp
from petops.mcp_server.serving import serve_http, serve_stdio


async def main(url: str, port: str | None = None) -> None:
    async with PrometheusHttp(PrometheusAccess(url=url)) as client:
        if port is None:
            await serve_stdio(client, Limits())
        else:
            await serve_http(
                client,
                Limits(),
                "127.0.0.1",
                int(port),
                token=None,
                allowed_hosts=(),
                on_ready=lambda address: print(address, flush=True),  # noqa: T201
            )


asyncio.run(main(*sys.argv[1:]))
