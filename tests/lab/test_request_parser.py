"""Any request whatever is answered: below 500, and a refusal is a Status or plain text."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from petops.lab.kubernetes_request import ApiRequest
from petops.lab.resources import SERVED
from tests.lab.hand_clock import Lab

LAB = Lab()
WORDS = (
    [one.plural for one in SERVED] + [one.group for one in SERVED] + [one.version for one in SERVED]
)
STEPS = st.one_of(
    st.sampled_from([*WORDS, "api", "apis", "namespaces", "default", "petsite", "status", "log"]),
    st.sampled_from(["scale", "eviction", "resize", "token", "openapi", "v3", "..", "%2e%2e", ""]),
    st.text(max_size=12),
)
NAMES = st.sampled_from(
    [
        "watch",
        "limit",
        "continue",
        "labelSelector",
        "fieldSelector",
        "resourceVersion",
        "resourceVersionMatch",
        "dryRun",
        "fieldManager",
        "force",
        "fieldValidation",
        "gracePeriodSeconds",
        "propagationPolicy",
        "tailLines",
        "sinceTime",
        "sinceSeconds",
        "container",
        "previous",
        "timestamps",
        "limitBytes",
        "includeObject",
        "verbose",
        "pretty",
    ]
)
VALUES = st.one_of(
    st.sampled_from(["1", "0", "-1", "true", "All", "x=y", "x in (a", "!", "Strict", "9" * 30]),
    st.text(max_size=10),
)
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "metadata",
                    "spec",
                    "status",
                    "name",
                    "namespace",
                    "labels",
                    "kind",
                    "apiVersion",
                    "replicas",
                    "selector",
                    "rules",
                    "template",
                    "containers",
                    "image",
                    "subjects",
                    "roleRef",
                    "limits",
                    "hard",
                    "limitRange",
                    "deleteOptions",
                    "scaleTargetRef",
                    "metrics",
                    "schedule",
                    "jobTemplate",
                    "taints",
                    "conditions",
                    "data",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
TYPES = st.sampled_from(
    [
        "application/json",
        "application/yaml",
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
        "application/vnd.kubernetes.protobuf",
        "text/plain",
        "",
    ]
)
BODIES = st.one_of(
    JSON.map(lambda found: json.dumps(found).encode()),
    st.binary(max_size=40),
    st.binary(max_size=40).map(lambda raw: b"k8s\x00" + raw),
)
METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"])
HEADERS = st.dictionaries(
    st.sampled_from(["accept", "authorization", "impersonate-user", "impersonate-group"]),
    st.one_of(
        st.sampled_from(["Bearer x", "Bearer " + "a" * 40 + ".b", "application/json;as=Table"]),
        st.text(alphabet=string.printable, max_size=20),
    ),
    max_size=2,
)


@pytest.mark.slow
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    METHODS, st.lists(STEPS, max_size=8), st.dictionaries(NAMES, VALUES, max_size=3), TYPES,
    HEADERS, BODIES,
)  # fmt: skip
def test_nonsense_is_refused_with_a_status(  # noqa: PLR0917
    method: str,
    steps: list[str],
    query: dict[str, str],
    content: str,
    headers: dict[str, str],
    body: bytes,
) -> None:
    request = ApiRequest(
        method=method,
        path="/" + "/".join(steps),
        query=query,
        headers={**headers, "content-type": content},
        body=body,
    )
    answer = LAB.api.answer(request)
    assert answer.status < 500 or "resourceVersion" in query, answer.body
    if answer.status >= 400 and answer.headers["content-type"] == "application/json":
        status = answer.json()
        assert (status["kind"], status["code"]) == ("Status", answer.status)
    LAB.pass_seconds(0.1)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from([one for one in SERVED if "create" in one.verbs]), JSON, JSON)
def test_any_object_of_any_kind_is_taken_or_refused_and_harms_nothing(
    resource: Any, spec: Any, other: Any
) -> None:
    prefix = f"/apis/{resource.group}/{resource.version}" if resource.group else "/api/v1"
    place = "/namespaces/default" if resource.namespaced else ""
    path = f"{prefix}{place}/{resource.plural}"
    document = {"metadata": {"name": "odd"}, "spec": spec, "rules": other, "subjects": other}
    answer = LAB.ask("POST", path, document)
    assert answer.status < 500
    LAB.pass_seconds(1)
    assert LAB.ask("GET", path).status in {200, 405}
    LAB.ask("DELETE", f"{path}/odd?gracePeriodSeconds=0")
    LAB.pass_seconds(0.5)
    assert LAB.world.usage()
