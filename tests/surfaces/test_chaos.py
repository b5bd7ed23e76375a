"""`petops chaos` against the lab's API: what is applied, waited for, listed and taken back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from petops.commands import chaos as commands
from petops.errors import RefusedError, UsageError
from petops.programs import chaos, chaos_watch
from petops.scenarios import CATALOGUE
from petops.sources.kubernetes_calls import AioCalls, open_calls
from tests.lab.kubectl import served

TTL = timedelta(minutes=5)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
async def calls(tmp_path: Path) -> AsyncIterator[AioCalls]:
    async with served() as url:
        path = tmp_path / "kubeconfig"
        cluster = {"name": "lab", "cluster": {"server": url}}
        user = {"name": "me", "user": {}}
        context = {"name": "lab", "context": {"cluster": "lab", "user": "me"}}
        path.write_text(
            json.dumps(
                {
                    "current-context": "lab",
                    "clusters": [cluster],
                    "users": [user],
                    "contexts": [context],
                }
            )
        )
        async with open_calls(kubeconfig=str(path)) as opened:
            yield opened


async def deployments(calls: AioCalls) -> list[Any]:
    query = {"labelSelector": "app.kubernetes.io/managed-by=petops-chaos"}
    answer = await calls.request("GET", "/apis/apps/v1/deployments", query=query)
    return list(answer.body["items"])


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE)
async def test_a_fault_is_injected_shows_and_is_taken_back(calls: AioCalls, name: str) -> None:
    scenario = CATALOGUE[name]
    await chaos.apply(calls, scenario, ttl=TTL, dry_run=True)
    assert await deployments(calls) == []
    await chaos.apply(calls, scenario, ttl=TTL)
    assert "runs on ip-10-0-" in await chaos_watch.shown(calls, scenario, seconds=30)
    with pytest.raises(RefusedError, match="injected already"):
        await chaos.apply(calls, scenario, ttl=TTL)
    assert await chaos.remove(calls, scenario) == 1
    well, text = await chaos_watch.recovery(calls, scenario, seconds=30)
    assert well, text
    assert await chaos.remove(calls, scenario) == 0
    assert await chaos_watch.injected_pods(calls, scenario) == []


@pytest.mark.slow
async def test_what_somebody_renamed_or_left_behind_is_found_by_its_label(calls: AioCalls) -> None:
    scenario = CATALOGUE["memory-leak"]
    (document,) = scenario.documents()
    document["metadata"]["name"] = "left-behind"
    path = "/apis/apps/v1/namespaces/default/deployments"
    made = await calls.request("POST", path, body=document)
    assert made.status == 201
    assert await chaos.remove(calls, scenario) == 1
    assert await deployments(calls) == []


@pytest.mark.slow
async def test_a_namespace_without_the_label_is_left_alone(calls: AioCalls) -> None:
    patch = {"metadata": {"labels": {chaos.ALLOWED_LABEL: None}}}
    await calls.request(
        "PATCH",
        "/api/v1/namespaces/default",
        body=patch,
        content_type="application/merge-patch+json",
    )
    with pytest.raises(RefusedError, match="not labelled for faults"):
        await chaos.apply(calls, CATALOGUE["cpu-throttling"], ttl=TTL)
    assert await deployments(calls) == []


def test_scenarios_are_listed_and_printed_as_they_stand() -> None:
    runner = CliRunner()
    listed = runner.invoke(commands.app, ["list"])
    assert listed.exit_code == 0
    for name, scenario in CATALOGUE.items():
        assert name in listed.stdout
        printed = runner.invoke(commands.app, ["manifest", name])
        assert printed.stdout == scenario.text


def test_a_scenario_or_a_time_that_makes_no_sense_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no scenario 'nope'"):
        chaos.scenario_named("nope")
    for text in ("", "10", "-5m", "2d", "0s", "99h"):
        with pytest.raises(UsageError):
            chaos.time_to_live(text)
