"""How long a daemon takes from the start of its process until it is ready.

On the lab, and with everything away: no API server, no AWS, no Prometheus, and a Secrets Manager
that takes every question and answers none. Ready is /readyz with 200, and the same on the socket.
Prints one JSON object; ends with status 1 where one start takes 3 s or more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

sys.path.insert(0, str(Path(__file__).parents[1]))

from petops.app import SystemClock
from petops.lab.children import free_port
from petops.lab.running import Lab
from tests.surfaces.away import kubeconfig, secrets_kept_at
from tests.surfaces.replicas import TOKEN, Replica

LIMIT_SECONDS = 3.0


async def start(environment: Mapping[str, str], folder: Path) -> tuple[float, float]:
    """Start a daemon and end it; return when it was ready by HTTP and on its socket."""
    replica = Replica("daemon", environment, folder)
    near = httpx2.AsyncHTTPTransport(uds=str(folder / "daemon.sock"))
    began = time.monotonic()
    replica.start()
    try:
        async with (
            httpx2.AsyncClient(base_url=replica.url, trust_env=False) as far,
            httpx2.AsyncClient(base_url="http://petops", transport=near) as here,
        ):
            both = await asyncio.gather(since(began, far), since(began, here))
    except TimeoutError as exc:
        raise TimeoutError(replica.said) from exc
    finally:
        await replica.end(signal.SIGTERM)
    return both[0], both[1]


async def since(began: float, client: httpx2.AsyncClient) -> float:
    """Return how long after `began` the engine is ready, in seconds."""
    async with asyncio.timeout(30):
        while True:
            try:
                if (await client.get("/readyz", timeout=1.0)).is_success:
                    return time.monotonic() - began
            except httpx2.HTTPError:
                pass
            await asyncio.sleep(0.01)


async def starts(environment: Mapping[str, str], count: int, folder: Path) -> dict[str, float]:
    """Start so many daemons, one after the other, each on a journal of its own."""
    found = []
    for number in range(count):
        own = folder / str(number)
        own.mkdir(parents=True)
        found.append(await start(environment, own))
    by_http, on_socket = zip(*found, strict=True)
    return {
        "http_seconds_median": round(statistics.median(by_http), 2),
        "http_seconds_max": round(max(by_http), 2),
        "socket_seconds_median": round(statistics.median(on_socket), 2),
        "socket_seconds_max": round(max(on_socket), 2),
    }


def away(folder: Path, silent: str) -> dict[str, str]:
    """Return the settings of a daemon that reaches nothing."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    return {
        "KUBECONFIG": str(kubeconfig(folder, nowhere)),
        "AWS_ENDPOINT_URL": nowhere,
        **secrets_kept_at(silent),
        "PETOPS_CLUSTER_REGION": "us-east-1",
        "PETOPS_SQS_QUEUE_URL": f"{nowhere}/111122223333/alarms",
        "PROMETHEUS_URL": nowhere,
        "SLACK_BOT_TOKEN": "secretsmanager:devops-agent/slack-token#bot_token",
        "PETOPS_SLACK_CHANNEL": "C0123456789",
        "PETOPS_SLACK_API_URL": f"{nowhere}/api/",
    }


async def run(count: int, folder: Path) -> dict[str, Any]:
    """Measure both."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    kept |= {"HOME": str(folder), "PETOPS_TOKEN": TOKEN}
    figures: dict[str, Any] = {"starts": count}
    async with Lab.started(folder / "lab", clock=SystemClock()) as lab:
        given = {key: one for key, one in lab.environment().items() if key != "PETOPS_JOURNAL"}
        figures["lab"] = await starts(kept | given, count, folder / "on-lab")
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        silent = f"http://127.0.0.1:{listening.getsockname()[1]}"
        figures["away"] = await starts(kept | away(folder, silent), count, folder / "away")
    return figures


def main() -> int:
    """Run it, print the figures, and say whether they hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(run(given.starts, Path(folder)))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    slowest = max(
        figures[where][f"{way}_seconds_max"]
        for where in ("lab", "away")
        for way in ("http", "socket")
    )
    return 1 if slowest >= LIMIT_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main())
