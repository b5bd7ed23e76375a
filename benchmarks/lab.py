"""The lab's own speed: ready, lists, watches, scrapes, alarms, idle cost, memory; small and large.

Prints one JSON object. `--large` is the size of the large lab (0 leaves it out).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from petops.lab.alarms import RULES
from petops.lab.children import beside, listening_socket
from petops.lab.kubernetes_server import kubernetes_app
from petops.lab.running import Lab
from petops.lab.scraped import Scrapes, exporters
from petops.lab.serving import LoopbackServer
from petops.lab.world import World
from petops.scenarios import BEHAVIOURS, CATALOGUE

LARGE = 454
IDLE_SECONDS = 20.0
WATCHED = 20
SCRAPED = 12
RESTARTED = 4


class WallClock:
    """The time of day."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def lists(client: httpx2.AsyncClient) -> dict[str, Any]:
    """Time full lists of pods as raw JSON, the first apart: it writes what later ones reuse."""
    seconds, size = [], 0
    for _ in range(5):
        began = time.perf_counter()
        answer = await client.get("/api/v1/pods")
        seconds.append(time.perf_counter() - began)
        size = len(answer.content)
    began = time.perf_counter()
    await client.get("/api/v1/pods", params={"labelSelector": "app=petsite"})
    return {
        "first_seconds": round(seconds[0], 4),
        "median_seconds": round(statistics.median(seconds[1:]), 4),
        "bytes": size,
        "by_label_seconds": round(time.perf_counter() - began, 4),
    }


async def watches(client: httpx2.AsyncClient) -> dict[str, float]:
    """Time from a write's request to its event at a watching client."""
    version = (await client.get("/api/v1/pods?limit=1")).json()["metadata"]["resourceVersion"]
    pod = (await client.get("/api/v1/namespaces/default/pods?limit=1")).json()["items"][0]
    path = f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}"
    headers = {"content-type": "application/merge-patch+json"}
    taken: list[float] = []
    async with client.stream(
        "GET", "/api/v1/pods", params={"watch": "true", "resourceVersion": version}
    ) as stream:
        lines = stream.aiter_lines()
        for number in range(WATCHED):
            mark = f"mark-{number}"
            began = time.perf_counter()
            patch = {"metadata": {"annotations": {"bench": mark}}}
            sent = asyncio.create_task(
                client.patch(path, content=json.dumps(patch), headers=headers)
            )
            async for line in lines:
                if mark in line:
                    taken.append(time.perf_counter() - began)
                    break
            await sent
    return {
        "median_ms": round(1000 * statistics.median(taken), 1),
        "most_ms": round(1000 * max(taken), 1),
    }


async def scrapes(world: World, client: httpx2.AsyncClient) -> dict[str, Any]:
    """Time single scrapes: the objects' exporter, and those of some nodes."""
    paths = ["/metrics/kube-state-metrics", "/metrics/application"]
    paths += [f"/nodes/{node.node}/metrics/cadvisor" for node in world.nodes_usage()][:SCRAPED]
    began = time.perf_counter()
    (await client.get(paths[0])).raise_for_status()
    first = time.perf_counter() - began
    taken = {}
    for path in paths:
        began = time.perf_counter()
        (await client.get(path)).raise_for_status()
        taken[path] = time.perf_counter() - began
    nodes = [seconds for path, seconds in taken.items() if "/nodes/" in path]
    return {
        "kube_state_first_seconds": round(first, 4),
        "kube_state_seconds": round(taken[paths[0]], 4),
        "application_seconds": round(taken[paths[1]], 4),
        "cadvisor_most_seconds": round(max(nodes), 4),
        "every_seconds": world.scale.scrape_seconds,
    }


async def of_size(size: int) -> dict[str, Any]:
    """Serve a world of a size, without Prometheus and AWS, and measure it."""
    began = time.perf_counter()
    world = World(WallClock(), behaviours=BEHAVIOURS, size=size)
    built = time.perf_counter() - began
    api = LoopbackServer(kubernetes_app(world), listening_socket())
    scraped = exporters(one.node for one in world.nodes_usage())
    answered = Scrapes(world, scraped, every_seconds=world.scale.scrape_seconds)
    await answered.prepare()  # as a lab does before it is ready
    scrape = LoopbackServer(answered.app, listening_socket())
    async with (
        beside(world.run(), api.run_until_cancelled(), scrape.run_until_cancelled()),
        httpx2.AsyncClient(base_url=api.url, timeout=60, trust_env=False) as client,
        httpx2.AsyncClient(base_url=scrape.url, timeout=60, trust_env=False) as scraper,
    ):
        await api.ready.wait()
        await scrape.ready.wait()
        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.sleep(IDLE_SECONDS / 2)
        idle = (time.process_time() - cpu) / (time.perf_counter() - wall)
        return {
            "size": size,
            "pods": sum(1 for _ in world.store.objects("pods")),
            "nodes": world.scale.nodes,
            "built_seconds": round(built, 2),
            "idle_core_ratio_without_scrapes": round(idle, 3),
            "list": await lists(client),
            "watch": await watches(client),
            "scrape": await scrapes(world, scraper),
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }


def cpu_seconds(pids: list[int]) -> float:
    """Return what some processes have used of CPU, their children left out."""
    total = 0.0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / 100
    return total


def resident_mib(pids: list[int]) -> int:
    """Return what some processes hold of memory."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            text = Path(f"/proc/{pid}/status").read_text()
            total += int(re.search(r"VmRSS:\s+(\d+)", text)[1])  # type: ignore[index]
    return total // 1024


async def whole(size: int) -> dict[str, Any]:
    """Start a whole lab, let it idle, and see how soon what crosses a threshold is on SQS."""
    clock, began = WallClock(), time.perf_counter()
    world = World(clock, behaviours=BEHAVIOURS, size=size)
    async with Lab.started(clock=clock, world=world) as lab:
        gc.freeze()  # as the lab's own process does
        ready = time.perf_counter() - began
        programs = [one.pid for one in lab.programs]
        await asyncio.sleep(IDLE_SECONDS)
        own, others, wall = time.process_time(), cpu_seconds(programs), time.perf_counter()
        await asyncio.sleep(IDLE_SECONDS)
        seconds = time.perf_counter() - wall
        return {
            "size": size,
            "ready_seconds": round(ready, 2),
            "idle_core_ratio": round((time.process_time() - own) / seconds, 3),
            "idle_core_ratio_of_its_programs": round((cpu_seconds(programs) - others) / seconds, 3),
            "resident_mib": resident_mib([*programs, os.getpid()]),
            "scrape_seconds": await scraped(lab),
            "watch": await watched(lab),
            "alarm_on_sqs_seconds": await alarms(lab),
        }


async def scraped(lab: Lab) -> dict[str, float]:
    """Return how long Prometheus itself says that its scrapes took, the slowest of each job."""
    seconds = int(2 * IDLE_SECONDS)  # since it was ready
    query = f"max by (job) (max_over_time(scrape_duration_seconds[{seconds}s]))"
    found = await lab.prometheus.query(query)
    return {one["metric"]["job"]: round(float(one["value"][1]), 4) for one in found}


async def watched(lab: Lab) -> dict[str, float]:
    """Time watch events while the lab does all else that it does."""
    async with httpx2.AsyncClient(
        base_url=lab.kubernetes.url, timeout=60, trust_env=False
    ) as client:
        return await watches(client)


async def alarms(lab: Lab) -> dict[str, float]:
    """Time from a threshold crossed to the event on SQS.

    A restart crosses its alarm's threshold at once. A leak crosses it with the first sample of
    cAdvisor's that is over it: those come every 10 to 15 s, as they do in a cluster.
    """
    world, restarts = lab.world, []
    pods = world.store.objects("pods", "default")
    each = {pod["metadata"]["labels"]["app"]: pod["metadata"]["name"] for pod in pods}
    for name in [*each.values()][:RESTARTED]:  # of one workload each: each is an alarm of its own
        began = time.time()
        world.store.edit("pods", "default", name, _restarted)
        restarts.append(await _received(lab, "restarts") - began)
    world.apply(CATALOGUE["memory-leak"].text)
    crossed = 0.0

    async def watch() -> None:
        nonlocal crossed
        limit = next(rule for rule in RULES if "memory" in rule.metric).threshold
        while not crossed:
            await asyncio.sleep(0.2)
            for one in world.usage():
                used = 100 * one.memory_working_set_bytes / (one.memory_limit_bytes or 1 << 60)
                if "-leak-" in one.pod and used > limit:
                    crossed = one.sampled_at.timestamp()

    async with asyncio.timeout(180), beside(watch()):
        at = await _received(lab, "memory")
    return {
        "restart_median": round(statistics.median(restarts), 2),
        "restart_most": round(max(restarts), 2),
        "memory_sample": round(at - crossed, 2),
    }


def _restarted(pod: dict[str, Any]) -> None:
    pod["status"]["containerStatuses"][0]["restartCount"] += 1


async def _received(lab: Lab, part: str) -> float:
    """Return when an alarm whose name has this part was received in the state ALARM."""
    while True:
        answer = await lab.aws.call(
            "sqs", "receive_message", QueueUrl=lab.aws.queue_url, WaitTimeSeconds=5
        )
        for message in answer.get("Messages", ()):
            detail = json.loads(message["Body"])["detail"]
            handle = message["ReceiptHandle"]
            url = lab.aws.queue_url
            await lab.aws.call("sqs", "delete_message", QueueUrl=url, ReceiptHandle=handle)
            if part in detail["alarmName"] and detail["state"]["value"] == "ALARM":
                return time.time()


def main() -> None:
    """Measure, each in a process of its own, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", type=int, default=LARGE)
    parser.add_argument("--only", choices=("whole", "world"))
    parser.add_argument("--size", type=int, default=1)
    asked = parser.parse_args()
    if asked.only:
        measure = whole if asked.only == "whole" else of_size
        found = asyncio.run(measure(asked.size))
        sys.stdout.write(json.dumps(found) + "\n")
        return
    figures = {"lab": one("--only", "whole"), "small": one("--only", "world")}
    if asked.large:
        figures["large"] = one("--only", "world", "--size", str(asked.large))
        figures["large_lab"] = one("--only", "whole", "--size", str(asked.large))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def one(*arguments: str) -> Any:
    """Run this program with other arguments, and return what it prints."""
    command = [sys.executable, __file__, *arguments]
    ran = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603
    return json.loads(ran.stdout)


if __name__ == "__main__":
    main()
