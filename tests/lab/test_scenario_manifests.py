"""Scenarios: what their manifests are, and that their programs really do what is simulated."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from petops.lab.known_fields import drop_unknown
from petops.lab.quantities import quantity
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


def test_the_burning_injector_too() -> None:
    (document,) = CATALOGUE["cpu-throttling"].documents()
    labels = document["spec"]["template"]["metadata"]["labels"]
    assert labels["app"] == "payforadoption-go"
    assert labels["component"] == "injector"
    (container,) = document["spec"]["template"]["spec"]["containers"]
    limit = quantity(container["resources"]["limits"]["cpu"])
    assert limit < float(environment(document)["BURN_CORES"]) < 2 * limit


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("memory-leak-scenario.yaml", "memory-leak"),
        ("cpu-stress-scenario.yaml", "cpu-throttling"),
        ("node-pressure-scenario.yaml", "node-pressure"),
    ],
)
def test_the_files_at_the_repository_s_root_are_the_same(path: str, name: str) -> None:
    known = Path(__file__).parents[2] / "chaos-engineering" / "scenarios" / path
    assert known.read_text(encoding="utf-8") == CATALOGUE[name].text
