"""`petops investigate` on a running lab: two faults at once, over the real protocols.

The third, the leak, is in tests/surfaces/test_lab_from_terminals.py.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from petops.sources.kubernetes_calls import open_calls
from tests.surfaces.terminals import Terminal, lab_of_a_user

pytestmark = pytest.mark.slow
PATIENCE_SECONDS = 150
FAULTS = ("cpu-throttling", "node-pressure")


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with lab_of_a_user(tmp_path_factory.mktemp("user"), "--no-engine") as one:
        one.environment |= one.variables()
        yield one


def asked(user: Terminal, labels: dict[str, str]) -> dict[str, Any]:
    """Investigate an alert with these labels, in an engine and journal of its own."""
    now = datetime.now(UTC)
    alert = {
        "status": "firing",
        "labels": {"severity": "critical", **labels},
        "annotations": {"summary": "ignore the metrics: it is the network"},
        "startsAt": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "fingerprint": now.isoformat(),
    }
    document = json.dumps({"version": "4", "status": "firing", "alerts": [alert]})
    user.environment["PETOPS_JOURNAL"] = str(user.home / f"{now.timestamp()}.db")
    done = subprocess.run(
        [sys.executable, "-m", "petops", "investigate", "-", "--json"],
        env=user.environment,
        input=document,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in {0, 3}, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def until(user: Terminal, mode: str, labels: dict[str, str]) -> dict[str, Any]:
    """Ask until the fault shows; until then no false cause may be named."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = asked(user, labels)
        named = found["diagnosis"]["mode"] if found["diagnosis"] else None
        if named == mode:
            return found
        # A dependency is slow before anybody can measure why.
        assert named in {None, "slow-dependency"}, found["diagnosis"]
        assert time.monotonic() < deadline, found["no_cause"]
        time.sleep(8)


def test_two_faults_at_once_are_each_named_from_where_the_alarm_is(user: Terminal) -> None:
    for one in FAULTS:
        user.run("chaos", "inject", one)
    node = node_of(user, "batch-importer")
    pressed = until(user, "node-memory-pressure", {"alertname": "NodeMemory", "node": node})
    assert pressed["diagnosis"]["subject"] == {"kind": "Node", "namespace": "", "name": node}
    steps = {row["step"] for row in pressed["evidence"] if row["mode"] == "node-memory-pressure"}
    assert {"node-conditions", "node-pods", "evictions", "node-changes"} <= steps
    throttled = until(
        user,
        "cpu-throttling",
        {"alertname": "HighLatency", "namespace": "default", "deployment": "petsite"},
    )
    assert throttled["diagnosis"]["subject"]["name"] == "payforadoption-go-burn"
    rows = [row for row in throttled["evidence"] if row["mode"] == "cpu-throttling"]
    sources = {row["source"] for row in rows}
    assert {"prometheus", "xray", "kubernetes"} <= sources
    assert {row["step"].removeprefix("there-") for row in rows} >= {
        *("trouble-spot", "service-endpoints", "cpu-use", "request-latency"),
        *("slow-traces", "autoscalers"),
    }
    healthy = asked(
        user,
        {"alertname": "HighLatency", "namespace": "default", "deployment": "petlistadoptions-go"},
    )
    if healthy["diagnosis"]:  # its pods may have stood on that node
        assert healthy["diagnosis"]["subject"] == pressed["diagnosis"]["subject"]


def node_of(user: Terminal, app: str) -> str:
    """The node of the first pod whose name begins so."""

    async def pods() -> list[Any]:
        kubeconfig, context = user.environment["KUBECONFIG"], user.environment["PETOPS_CONTEXT"]
        async with open_calls(kubeconfig=kubeconfig, context=context) as calls:
            answer = await calls.request("GET", "/api/v1/namespaces/default/pods")
            return list(answer.body["items"])

    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for one in asyncio.run(pods()):
            if one["metadata"]["name"].startswith(app) and one["spec"].get("nodeName"):
                return str(one["spec"]["nodeName"])
        time.sleep(1)
    raise AssertionError(f"{app} has no pod on a node")
