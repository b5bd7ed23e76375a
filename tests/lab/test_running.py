"""The whole lab: what is there when it is ready, and that nothing is left when it is gone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
import httpx2
import pytest
import yaml

from petops.errors import PetopsError
from petops.lab.lab_state import LabState, Ran, claim, end, running_lab
from petops.lab.running import Lab
from tests.lab.wall_clock import WallClock

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lab")]

COUNTERS = (
    "container_cpu_usage_seconds_total",
    "container_network_receive_bytes_total",
    "http_request_duration_seconds_bucket",
    "node_cpu_seconds_total",
)
UP = """
import asyncio, sys
from pathlib import Path
from petops.lab.one_lab import bring_up
from tests.lab.wall_clock import WallClock

asyncio.run(bring_up(Path(sys.argv[1]), WallClock(), lambda state: print("ready", flush=True)))
"""


def is_open(address: str) -> bool:
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Bring a lab up in a process of its own, and wait until it is ready."""
    with subprocess.Popen(  # noqa: S603 - our own Python
        [sys.executable, "-c", UP, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def is_all_gone(state: LabState) -> bool:
    return not any(
        (
            *(ran.is_alive for ran in (state.lab, *state.children)),
            *(is_open(address) for address in state.addresses.values()),
            Path(state.folder).exists(),
        )
    )


async def test_a_lab_is_ready_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with Lab.started(tmp_path / "lab", clock=WallClock()) as lab:
        environment, programs, addresses = lab.environment(), lab.programs, lab.addresses
        config = yaml.safe_load(lab.kubeconfig.read_text())
        assert config["clusters"][0]["cluster"]["server"] == addresses["kubernetes"]
        async with httpx2.AsyncClient() as client:
            pods = await client.get(addresses["kubernetes"] + "/api/v1/pods")
        assert pods.json()["items"]
        hour = 'sum by (job) (count_over_time(up{job=~"cadvisor|application"}[1h]))'
        counts = {
            each["metric"]["job"]: float(each["value"][1])
            for each in await lab.prometheus.query(hour)
        }
        nodes = len(lab.world.nodes_usage())
        assert counts["application"] >= 239
        assert counts["cadvisor"] >= 239 * nodes
        assert set(lab.alarms.states.values()) <= {"OK", "INSUFFICIENT_DATA"}
        assert environment["PROMETHEUS_URL"] == addresses["prometheus"]
        assert all(program.is_alive for program in programs)
    assert not any(program.is_alive for program in programs)
    assert not any(is_open(address) for address in addresses.values())


async def value(lab: Lab, promql: str) -> float:
    result = await lab.prometheus.query(promql)
    return float(result[0]["value"][1]) if result else 0.0


async def test_scraped_series_go_on_where_history_ends(tmp_path: Path) -> None:
    async with Lab.started(tmp_path / "lab", clock=WallClock()) as lab:
        before = await value(lab, 'count({__name__=~".+"})')
        names = '{__name__=~".+",__name__!~"scrape_.*"}'
        wanted = {"count(scrape_duration_seconds)": float(lab.scraped), f"count({names})": before}
        found: dict[str, float] = {}
        async with asyncio.timeout(40):  # no series is new, none is doubled, none lost for long
            while found != wanted:
                await asyncio.sleep(0.5)
                found = {query: await value(lab, query) for query in wanted}
        for counter in COUNTERS:
            assert await value(lab, f"max(resets({counter}[10m]))") == 0, counter
        steps = processor_steps(await lab.prometheus.query("node_cpu_seconds_total[2m]"))
        assert len(steps) > 8
        assert max(seconds for seconds, _ in steps) < 30, "a gap"
        assert all(1 < cores < 3 for _, cores in steps), steps


def processor_steps(matrix: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Return, of one node, the seconds between neighbouring samples and the cores they speak of."""
    node = matrix[0]["metric"]["node"]
    series = [each["values"] for each in matrix if each["metric"]["node"] == node]
    totals = [(at[0][0], sum(float(value) for _, value in at)) for at in zip(*series, strict=True)]
    return [(t - s, (b - a) / (t - s)) for (s, a), (t, b) in pairwise(totals)]


async def test_an_ordinary_client_reaches_the_lab_by_its_environment_and_gets_its_alarms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Lab.started(tmp_path / "lab", clock=WallClock()) as lab:
        for name, text in lab.environment().items():
            monkeypatch.setenv(name, text)
        sqs = await asyncio.to_thread(boto3.client, "sqs")
        pod = next(iter(lab.world.store.objects("pods", "default")))
        lab.world.store.edit("pods", "default", pod["metadata"]["name"], restarted)
        answer = await asyncio.to_thread(
            sqs.receive_message,
            QueueUrl=lab.environment()["PETOPS_SQS_QUEUE_URL"],
            WaitTimeSeconds=10,
        )
        sqs.close()
    event = json.loads(answer["Messages"][0]["Body"])
    assert event["detail"]["state"]["value"] == "ALARM"
    metric = event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]
    assert metric["name"] == "pod_number_of_container_restarts"
    assert pod["metadata"]["name"].startswith(metric["dimensions"]["PodName"])


def restarted(pod: dict[str, Any]) -> None:
    pod["status"]["containerStatuses"][0]["restartCount"] += 1


async def test_every_terminal_finds_the_lab_and_any_may_end_it(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        state = running_lab(tmp_path)
        assert state is not None
        assert state.is_ready
        assert state.lab.pid == process.pid
        assert all(is_open(address) for address in state.addresses.values())
        with pytest.raises(PetopsError, match=state.addresses["prometheus"]):
            claim(tmp_path, Ran.now("lab", os.getpid()))
        assert await end(tmp_path)
        assert process.wait(5) == 0
    assert is_all_gone(state)
    assert running_lab(tmp_path) is None


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_the_lab_in_order(tmp_path: Path, how: signal.Signals) -> None:
    with another_process(tmp_path) as process:
        state = running_lab(tmp_path)
        process.send_signal(how)
        assert await asyncio.to_thread(process.wait, 10) == 0
    assert state is not None
    assert is_all_gone(state)
    assert os.listdir(tmp_path) == ["lab.lock"]  # noqa: PTH208 - not from a coroutine's Path


async def test_what_a_killed_lab_left_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        state = running_lab(tmp_path)
        process.kill()
        process.wait()
    assert state is not None
    assert running_lab(tmp_path) is None
    assert os.listdir(state.folder)  # noqa: PTH208
    if sys.platform == "linux":
        async with asyncio.timeout(5):
            while any(child.is_alive for child in state.children):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    claim(tmp_path, Ran.now("lab", os.getpid()))
    assert not any(child.is_alive for child in state.children)
    async with asyncio.timeout(5):  # a killed program's last thread closes its ports
        while any(is_open(address) for address in state.addresses.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert os.listdir(state.folder) == []  # noqa: PTH208
