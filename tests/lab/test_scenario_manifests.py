"""Scenarios: what their manifests are, and that their programs really do what is simulated."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from petops.lab.known_fields import drop_unknown
from petops.lab.resources import of_kind
from petops.scenarios import BEHAVIOURS, CATALOGUE
from petops.scenarios.base import EXPIRES_ANNOTATION, Scenario
from tests.lab.hand_clock import Lab

EACH = pytest.mark.parametrize("scenario", CATALOGUE.values(), ids=lambda one: one.name)


def environment(document: Any) -> dict[str, str]:
    (container,) = document["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one["value"] for one in container["env"]}


@EACH
def test_a_manifest_is_good_for_kubectl_apply_as_it_stands(scenario: Scenario) -> None:
    for document in yaml.safe_load_all(scenario.text):
        resource = of_kind(document["apiVersion"], document["kind"])
        assert resource is not None
        assert drop_unknown(resource.plural, document) == []
        labels = document["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "petops-chaos"
        assert labels["petops.dev/scenario"] == scenario.name
    Lab().world.apply(scenario.text)


@EACH
def test_every_scenario_is_in_its_catalogue_by_its_name(scenario: Scenario) -> None:
    assert CATALOGUE[scenario.name] is scenario
    assert BEHAVIOURS[scenario.name] is scenario.behaviour
    assert re.fullmatch(r"[a-z][a-z-]+", scenario.diagnosis)


@EACH
def test_an_injected_manifest_says_when_it_ends(scenario: Scenario) -> None:
    now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    (document,) = yaml.safe_load_all(scenario.manifest(now=now, ttl=timedelta(minutes=5)))
    assert document["metadata"]["annotations"][EXPIRES_ANNOTATION] == "2026-11-23T09:05:00Z"
    assert environment(document)["TTL_SECONDS"] == "300"
    assert environment(document)["EXPIRES_AT"] == "2026-11-23T09:05:00Z"
    (plain,) = scenario.documents()
    assert EXPIRES_ANNOTATION not in plain["metadata"].get("annotations", {})


def test_the_injector_stands_behind_the_service_but_not_in_its_deployment() -> None:
    (document,) = CATALOGUE["memory-leak"].documents()
    labels = document["spec"]["template"]["metadata"]["labels"]
    assert labels["app"] == "petadoptionshistory-py"
    assert labels["component"] == "injector"
    assert environment(document)["LEAK_MIB_PER_SECOND"] == "3"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux' /proc")
def test_the_program_really_leaks_answers_and_stops(tmp_path: Path) -> None:
    (document,) = CATALOGUE["memory-leak"].documents()
    (container,) = document["spec"]["template"]["spec"]["containers"]
    port = 18_000 + os.getpid() % 2000
    variables = environment(document) | {
        "BASELINE_MIB": "40",
        "LEAK_MIB_PER_SECOND": "8",
        "TTL_SECONDS": "4",
        "STATE_DIRECTORY": str(tmp_path),
        "PORT": str(port),
    }
    command = [sys.executable, *container["command"][1:]]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE) as program:  # noqa: S603
        try:
            early = resident(program.pid, at_least=35)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/any", timeout=5) as answer:
                assert answer.status == 200
            grown = resident(program.pid, at_least=early + 12)
            assert grown < 120
            assert (tmp_path / "started").exists()
            resident(program.pid, at_most=early)
            assert program.poll() is None
        finally:
            program.terminate()
            assert program.wait(10) == 0


def resident(pid: int, *, at_least: float = 0, at_most: float = 1e9) -> float:
    """Wait until a process holds so many MiB, and return how many it does."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        mib = pages * os.sysconf("SC_PAGESIZE") / 1024**2
        if at_least <= mib <= at_most:
            return mib
        time.sleep(0.1)
    raise AssertionError(f"the program holds {mib:.0f} MiB")
