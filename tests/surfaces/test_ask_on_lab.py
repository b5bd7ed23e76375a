"""The questions of the README, asked on a lab that runs, as people and scripts ask them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.surfaces.terminals import Terminal, lab_of_a_user

pytestmark = pytest.mark.slow

MEMORY = "Show me memory usage for pod petadoptionshistory-py over the last hour"
CPU = "What is the CPU usage for all pods in namespace default?"
RATE = "Show me request rate for service payforadoption-go"
ANOMALIES = "Detect anomalies in memory usage"
LATENCY = "Compare latency across all services"
SERVICES = {
    "petsite",
    "petsearch-java",
    "payforadoption-go",
    "petlistadoptions-go",
    "petadoptionshistory-py",
}


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with lab_of_a_user(tmp_path_factory.mktemp("asking"), "--no-engine") as user:
        yield user


def values(answer: Any, label: str) -> dict[str, float]:
    return {one["metric"][label]: float(one["value"][1]) for one in answer["result"]}


def test_the_five_questions_of_the_readme_are_answered(terminal: Terminal) -> None:
    asked = terminal.run(
        *("ask", "--batch"),
        given="".join(
            f'{{"question": "{one}"}}\n' for one in (MEMORY, CPU, RATE, ANOMALIES, LATENCY)
        ),
    )
    memory, cpu, rate, anomalies, latency = map(json.loads, asked.splitlines())

    assert (memory["kind"], round(memory["end"] - memory["start"])) == ("range", 3600)
    assert all(
        one["metric"]["pod"].startswith("petadoptionshistory-py-") for one in memory["result"]
    )
    assert all(float(v) > 1024**2 for one in memory["result"] for _, v in one["values"])
    pods = values(cpu, "pod")
    assert len(pods) > len(SERVICES)
    assert all(0 < cores < 2 for cores in pods.values())
    assert 'namespace="default"' in cpu["promql"]
    (requests,) = values(rate, "service").values()
    assert 0 < requests < 100
    assert "memory" in anomalies["promql"]
    assert any("no anomaly in memory" in one for one in anomalies["insights"])
    seconds = values(latency, "service")
    assert seconds.keys() >= SERVICES
    assert all(0 < seconds[name] < 5 for name in SERVICES)


def test_people_see_a_chart_or_a_table_with_the_promql_under_it(terminal: Terminal) -> None:
    chart, table = terminal.run("ask", MEMORY), terminal.run("ask", LATENCY)
    assert "┤" in chart
    assert "MiB" in chart
    assert "█" in table
    for shown in (chart, table):
        assert shown.splitlines()[-1].startswith("PromQL: ")
    refused = terminal.run("ask", "memory of pod petsite-0", status=1)
    assert "there is no pod called 'petsite-0'" in refused
    assert "hint: nearest are: petsite" in refused
