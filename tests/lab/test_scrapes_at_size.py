"""The faster ways to write metrics say what the plain ones say."""

from __future__ import annotations

import pytest

from petops.lab.application_metrics import application_samples, application_text
from petops.lab.application_size import Scale
from petops.lab.exposition import render
from petops.lab.kube_state_metrics import kube_state_samples
from petops.lab.kube_state_text import KubeStateText
from petops.lab.world import World
from petops.scenarios import BEHAVIOURS
from tests.lab.hand_clock import HandClock, Lab


def test_objects_written_once_are_written_the_same() -> None:
    lab, text = Lab(), KubeStateText()
    for _ in range(3):
        lab.pass_seconds(20)
        objects = lab.world.store.objects
        assert text.render(objects) == render(kube_state_samples(objects))
        lab.inject_leak()


def test_requests_are_written_the_same() -> None:
    lab = Lab()
    traffic = lab.world.traffic()
    assert application_text(traffic) == render(application_samples(traffic))


@pytest.mark.slow
def test_a_larger_lab_has_the_application_as_often() -> None:
    world = World(HandClock(), behaviours=BEHAVIOURS, size=4)
    pods = list(world.store.objects("pods"))
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    shop = [pod for pod in pods if pod["metadata"]["namespace"] != "kube-system"]
    assert len(shop) == 11 + 3 * 10
    assert len(list(world.store.objects("nodes"))) == Scale(copies=4).nodes
    served = {one.service for one in world.traffic() if one.requests_total}
    assert {"petsite", "petsite-2", "payforadoption-go-4"} <= served


def test_the_largest_lab_has_what_the_numbers_ask_for() -> None:
    scale = Scale(copies=454)
    assert scale.pods + 2 * scale.nodes > 4_900
    assert scale.nodes >= 180
    assert 15 <= scale.scrape_seconds <= 60
