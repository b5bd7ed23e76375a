"""Each fault injected with kubectl alone, and seen with kubectl, promtool, boto3 and curl.

The files are those of `chaos-engineering/`, word for word but for their rates: they are faster
here, so that nobody waits a minute for each.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from petops.lab.running import Lab
from petops.lab.world import World
from petops.scenarios import BEHAVIOURS
from tests.lab.kubectl import Kubectl
from tests.lab.wall_clock import WallClock

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lab")]

ROOT = Path(__file__).parents[2]
FILES = ROOT / "chaos-engineering" / "scenarios"
PROMTOOL = ROOT / ".tools" / "prometheus" / "usr" / "bin" / "promtool"
FASTER = {
    "memory-leak": ("LEAK_MIB_PER_SECOND", "25"),
    "cpu-stress": ("BURN_CORES", None),
    "node-pressure": ("FILL_MIB_PER_SECOND", "1500"),
}


async def said(program: str | Path, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def until(ask: Callable[[], Awaitable[object]], seconds: float = 45) -> None:
    """Ask until the answer is true; say what was asked if it never is."""
    try:
        async with asyncio.timeout(seconds):
            while not await ask():  # noqa: ASYNC110
                await asyncio.sleep(0.5)
    except TimeoutError:
        pytest.fail(f"not within {seconds:g} s: {ask.__name__}")


class Seen:
    """One lab, and the tools that people look at it with."""

    def __init__(self, lab: Lab, home: Path) -> None:
        self.kubectl = Kubectl(lab.kubernetes.url, home)
        self._lab, self._home = lab, home

    async def apply(self, name: str) -> None:
        path = FILES / f"{name}-scenario.yaml"
        assert "dry run" in await self.kubectl("apply", "--dry-run=server", "-f", str(path))
        variable, value = FASTER[name]
        text = path.read_text(encoding="utf-8")
        if value:
            text, count = re.subn(rf'(name: {variable}\n\s+value: )"[^"]+"', rf'\1"{value}"', text)
            assert count == 1
        quick = self._home / path.name
        quick.write_text(text, encoding="utf-8")
        await self.kubectl("apply", "-f", str(quick))

    async def promtool(self, expression: str) -> list[float]:
        """Return the values of an instant query."""
        url = self._lab.prometheus.url
        answer = await said(PROMTOOL, "query", "instant", "-o", "json", url, expression)
        return [float(one["value"][1]) for one in json.loads(answer)]

    async def curl(self, path: str, *, of: str = "kubernetes") -> str:
        return await said("curl", "-sf", self._lab.addresses[of] + path)

    async def aws(self, service: str, method: str, **arguments: object) -> Any:
        def call() -> Any:
            client = boto3.client(service)
            try:
                return getattr(client, method)(**arguments)
            finally:
                client.close()

        return await asyncio.to_thread(call)


@pytest.mark.skipif(not PROMTOOL.exists(), reason="there is no promtool; `make test` gets it")
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_each_fault_is_injected_with_kubectl_and_seen_with_everybodys_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = WallClock()
    world = World(clock, behaviours=BEHAVIOURS)
    async with Lab.started(tmp_path / "lab", clock=clock, world=world) as lab:
        for name, text in lab.environment().items():
            monkeypatch.setenv(name, text)
        seen = Seen(lab, tmp_path)
        for name in FASTER:
            await seen.apply(name)
        await asyncio.gather(memory_leak(seen), cpu_throttling(seen), node_pressure(seen))
        for name in FASTER:
            await seen.kubectl("delete", "-f", str(FILES / f"{name}-scenario.yaml"))


async def memory_leak(seen: Seen) -> None:
    async def killed() -> bool:
        shown = await seen.kubectl(
            "get", "pods", "-l", "petops.dev/scenario=memory-leak", "-o", "json"
        )
        (pod,) = json.loads(shown)["items"]
        last = pod["status"]["containerStatuses"][0].get("lastState") or {}
        return bool(last.get("terminated", {}).get("reason") == "OOMKilled")

    async def measured() -> bool:
        last = (
            'kube_pod_container_status_last_terminated_reason{reason="OOMKilled",pod=~".+-leak-.+"}'
        )
        return await seen.promtool(last) == [1.0]

    async def alarmed() -> bool:
        named = "default-petadoptionshistory-py-leak-restarts"
        found = await seen.aws("cloudwatch", "describe_alarms", AlarmNames=[named])
        return [one["StateValue"] for one in found["MetricAlarms"]] == ["ALARM"]

    async def told() -> bool:
        events = await seen.curl("/api/v1/namespaces/default/events?fieldSelector=reason=Started")
        return "petadoptionshistory-py-leak-" in events

    for ask in (killed, measured, alarmed, told):
        await until(ask)


async def cpu_throttling(seen: Seen) -> None:
    async def measured() -> bool:
        name = "container_cpu_cfs_throttled_periods_total"
        ratio = f'rate({name}{{pod=~".+-burn-.+",container!=""}}[1m])'
        return any(value > 1 for value in await seen.promtool(ratio))

    async def slow() -> bool:
        now = WallClock().now().timestamp()
        found = await seen.aws(
            "xray",
            "get_trace_summaries",
            StartTime=now - 60,
            EndTime=now,
            FilterExpression='service("payforadoption-go") { responsetime > 0.3 }',
        )
        return bool(found["TraceSummaries"])

    async def exposed() -> bool:
        shown = await seen.kubectl(
            *(
                "get",
                "pods",
                "-l",
                "petops.dev/scenario=cpu-throttling",
                "-o",
                "wide",
                "--no-headers",
            )
        )
        node = next(word for word in shown.split() if word.startswith("ip-10-"))
        text = await seen.curl(f"/nodes/{node}/metrics/cadvisor", of="metrics")
        counts = re.findall(
            r"container_cpu_cfs_throttled_periods_total\{[^}]*-burn-[^}]*\} ([\d.]+)", text
        )
        return any(float(count) > 10 for count in counts)

    for ask in (measured, slow, exposed):
        await until(ask)


async def node_pressure(seen: Seen) -> None:
    async def evicted() -> bool:
        reasons = "jsonpath={.items[*].status.reason}"
        chosen = ("-l", "petops.dev/scenario=node-pressure")
        return "Evicted" in await seen.kubectl("get", "pods", *chosen, "-o", reasons)

    async def pressed() -> bool:
        condition = 'kube_node_status_condition{condition="MemoryPressure",status="true"} == 1'
        return len(await seen.promtool(condition)) == 1

    async def described() -> bool:
        nodes = json.loads(await seen.curl("/api/v1/nodes"))["items"]
        return any(
            one["type"] == "MemoryPressure" and one["status"] == "True"
            for node in nodes
            for one in node["status"]["conditions"]
        )

    async def alarmed() -> bool:
        found = await seen.aws("cloudwatch", "describe_alarms", StateValue="ALARM")
        names = [one["AlarmName"] for one in found["MetricAlarms"]]
        return any(name.endswith("-node-memory") for name in names)

    await asyncio.gather(*(until(ask) for ask in (evicted, pressed, described, alarmed)))
