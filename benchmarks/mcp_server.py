"""What MCP costs over plain HTTP: the same queries, side by side, in one run.

Prints one JSON object.

Each round asks every way once, in turn, so that a busy machine is busy for all of them. The two
other servers are measured where `--others DIR` names a folder with an environment for each:
`python -m venv DIR/known && DIR/known/bin/pip install prometheus-mcp-server`, and likewise
`DIR/awslabs` with `awslabs.prometheus-mcp-server`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from mcp.client.stdio import StdioServerParameters
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from petops.lab.children import listening_socket
from petops.lab.exposition import Sample
from petops.lab.prometheus import running_prometheus
from petops.lab.remote_write import Timeline, push
from petops.lab.serving import LoopbackServer
from petops.mcp_server.answers import Limits
from petops.mcp_server.client import PrometheusAccess, PrometheusHttp
from petops.mcp_server.server import build_server
from petops.sources.mcp_caller import McpCaller

ROUNDS = 60
SERIES = 300
AT_ONCE = 50
QUERY_SECONDS = 0.02
KNOWN = "prometheus-mcp-server"
AWSLABS = "awslabs.prometheus-mcp-server"
REGION = "us-east-1"
ONE = "vector(1)"
MANY = "bench_series"
Way = Callable[[str], Awaitable[Any]]


async def measured(others: Path | None) -> dict[str, Any]:
    """Measure each way on one Prometheus, then fifty queries at once on a slow stand-in."""
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="petops-bench-")))
        prometheus = await stack.enter_async_context(running_prometheus([], home))
        await push(_timeline(), prometheus.url)
        ways = await _ways(prometheus.url, others, stack)
        figures = {}
        for name, query in (("one_series_ms", ONE), (f"{SERIES}_series_ms", MANY)):
            figures[name] = await _side_by_side(ways, query)
        return figures | {"fifty_queries_of_20_ms_at_once_ms": await _at_once()}


def _timeline() -> Timeline:
    now = round(time.time() * 1000)
    timeline = Timeline()
    timeline.add(
        [Sample(MANY, (("n", str(n)), ("pod", f"web-{n}")), n, now) for n in range(SERIES)]
    )
    return timeline


async def _ways(url: str, others: Path | None, stack: AsyncExitStack) -> dict[str, Way]:
    http = await stack.enter_async_context(PrometheusHttp(PrometheusAccess(url=url)))
    ways: dict[str, Way] = {"http": http.query}
    targets: dict[str, Any] = {
        "in_process": build_server(http, Limits()),
        "stdio": StdioServerParameters(
            command=sys.executable, args=["-m", "petops", "mcp"], env={"PROMETHEUS_URL": url}
        ),
    }
    if others is not None:
        targets |= _other_servers(url, others, stack)
    for name, target in targets.items():
        caller = await stack.enter_async_context(McpCaller(target, startup_seconds=60))
        ways[name] = _calling(caller)
        await ways[name](ONE)
    return ways


def _other_servers(url: str, folder: Path, stack: AsyncExitStack) -> dict[str, Any]:
    """Return how the other two are started; awslabs' starts only where STS answers: moto's does."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - heavy, and only here

    sts = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    sts.start()
    stack.callback(sts.stop)
    host, port = sts.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
    return {
        KNOWN: StdioServerParameters(
            command=str(folder / "known" / "bin" / KNOWN), env={"PROMETHEUS_URL": url}
        ),
        AWSLABS: StdioServerParameters(
            command=str(folder / "awslabs" / "bin" / AWSLABS),
            args=["--url", url, "--region", REGION],
            env={
                **keys,
                "AWS_ENDPOINT_URL_STS": f"http://{host}:{port}",
                "AWS_REGION": REGION,
                "FASTMCP_LOG_LEVEL": "ERROR",
            },
        ),
    }


def _calling(caller: McpCaller) -> Way:
    async def call(query: str) -> Any:
        return await caller.call("execute_query", {"query": query}, 60)

    return call


async def _side_by_side(ways: dict[str, Way], query: str) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.perf_counter()
            await way(query)
            times[name].append((time.perf_counter() - began) * 1000)
    return {name: round(statistics.median(found), 2) for name, found in times.items()}


async def _at_once() -> float:
    """Ask fifty queries that take 20 ms each, all at once, through the server in process."""
    stand_in = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        "--stand-in",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert stand_in.stdin is not None  # noqa: S101 - pipes were asked for
    assert stand_in.stdout is not None  # noqa: S101
    try:
        access = PrometheusAccess(url=(await stand_in.stdout.readline()).decode().strip())
        async with (
            PrometheusHttp(access) as http,
            McpCaller(build_server(http, Limits())) as caller,
        ):
            call = _calling(caller)
            found = []
            for _ in range(7):
                began = time.perf_counter()
                await asyncio.gather(*(call(ONE) for _ in range(AT_ONCE)))
                found.append((time.perf_counter() - began) * 1000)
        return round(statistics.median(found), 1)
    finally:
        stand_in.stdin.close()
        await stand_in.wait()


async def stand_in() -> None:
    """Answer every query after 20 ms, as a process of its own, until stdin ends."""

    async def slow(_: Request) -> Response:
        await asyncio.sleep(QUERY_SECONDS)
        return JSONResponse({"status": "success", "data": {"resultType": "vector", "result": []}})

    app = Starlette(routes=[Route("/{path:path}", slow, methods=["GET", "POST"])])
    server = LoopbackServer(app, listening_socket())
    serving = asyncio.create_task(server.run_until_cancelled())
    await server.ready.wait()
    sys.stdout.write(f"{server.url}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    serving.cancel()
    await asyncio.wait({serving})


def main() -> None:
    """Print the medians."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--others", type=Path, help="folder with the other servers' environments")
    options.add_argument("--stand-in", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.stand_in:
        asyncio.run(stand_in())
        return
    figures = asyncio.run(measured(given.others))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
