"""Whatever is written to the API, the lab neither raises nor answers with a 5xx."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from petops.lab.store import clone
from tests.lab.hand_clock import DEPLOYMENTS, LEAK, PODS, Lab

TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
VALUES: list[Any] = [
    None,
    3,
    -1,
    "x",
    "",
    [],
    {},
    True,
    [3],
    [{}],
    {"a": 1},
    {"a": {}},
    1.5,
    "10%",
    [None],
]

(DEPLOYMENT,) = LEAK.documents()
LABELS = {"matchLabels": {"app": "petsite"}}
EXPRESSIONS = [{"key": "a", "operator": "In", "values": ["b"]}]
DOCUMENTS: dict[str, dict[str, Any]] = {
    DEPLOYMENTS: DEPLOYMENT,
    PODS: {
        "metadata": {"name": "one", "labels": {"app": "petsite"}, "finalizers": ["a/b"]},
        "spec": DEPLOYMENT["spec"]["template"]["spec"] | {"nodeSelector": {"a": "b"}},
    },
    "/api/v1/namespaces/default/services": {
        "metadata": {"name": "one"},
        "spec": {"selector": {"app": "petsite"}, "ports": [{"port": 80, "targetPort": "http"}]},
    },
    "/apis/policy/v1/namespaces/default/poddisruptionbudgets": {
        "metadata": {"name": "one"},
        "spec": {"minAvailable": 1, "selector": {**LABELS, "matchExpressions": EXPRESSIONS}},
    },
    "/api/v1/nodes": {
        "metadata": {"name": "one"},
        "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]},
        "status": {
            "capacity": {"cpu": "1"},
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
        },
    },
    "/api/v1/namespaces/default/events": {
        "metadata": {"name": "one"},
        "involvedObject": {"kind": "Pod", "name": "x"},
        "firstTimestamp": "2026-11-23T04:55:49Z",
        "source": {"component": "c"},
        "count": 1,
    },
}


def paths(found: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inner = (
        found.items()
        if isinstance(found, dict)
        else enumerate(found)
        if isinstance(found, list)
        else ()
    )
    for key, value in inner:
        yield from paths(value, (*path, key))


def spoilt(document: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A copy with one value that is something else."""
    copy: dict[str, Any] = clone(document)
    *way, last = chance.choice(list(paths(copy)))
    place: Any = copy
    for step in way:
        place = place[step]
    place[last] = chance.choice(VALUES)
    return copy


@pytest.mark.slow
@pytest.mark.parametrize("url", DOCUMENTS)
def test_one_wrong_value_is_refused_or_does_no_harm(url: str) -> None:
    chance = random.Random(url)  # noqa: S311
    lab = Lab()
    for attempt in range(60):
        document = spoilt(DOCUMENTS[url], chance)
        name = DOCUMENTS[url]["metadata"]["name"]
        if attempt % 2:
            lab.ask("POST", url, DOCUMENTS[url])
            answer = lab.ask("PUT", f"{url}/{name}", document)
        else:
            answer = lab.ask("POST", url, document)
        assert answer.status < 500, document
        lab.pass_seconds(1.5)
        assert lab.ask("GET", url, headers=TABLE).status == 200
        assert lab.world.usage()
        assert lab.world.nodes_usage()
        lab.ask("DELETE", f"{url}/{name}?gracePeriodSeconds=0")
        lab.pass_seconds(0.2)
