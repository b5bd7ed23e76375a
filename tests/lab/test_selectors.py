"""Label and field selectors."""

from __future__ import annotations

from typing import Any

import pytest

from petops.lab.selectors import SelectorError, as_text, field_selector, label_selector, selects

LABELS = {"app": "web", "tier": "front"}
POD: dict[str, Any] = {
    "metadata": {"name": "web-1", "namespace": "default", "labels": LABELS},
    "spec": {"nodeName": "n1"},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app!=web", False),
        ("app in (web, api),tier", True),
        ("app notin (web)", False),
        ("!other", True),
        ("other", False),
        ("other!=x", True),
        ("app.kubernetes.io/name=x", False),
    ],
)
def test_label_selectors(text: str, expected: bool) -> None:
    assert label_selector(text)(POD) is expected


@pytest.mark.parametrize("text", ["==", "a=b=c", "a in b", "a in (b", "=x", "a b"])
def test_label_selectors_that_make_no_sense(text: str) -> None:
    with pytest.raises(SelectorError):
        label_selector(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("metadata.name=web-1", True),
        ("status.phase!=Running", False),
        ("spec.nodeName=n1,status.phase=Running", True),
        ("spec.nodeName=", False),
        ("spec.hostNetwork=false", True),
    ],
)
def test_field_selectors(text: str, expected: bool) -> None:
    assert field_selector(text, "pods")(POD) is expected


def test_a_field_that_is_not_indexed_is_refused() -> None:
    with pytest.raises(SelectorError, match=r"field label not supported: status\.reason"):
        field_selector("status.reason=Evicted", "pods")


def test_selectors_of_objects() -> None:
    assert not selects(None, LABELS)
    assert selects({}, LABELS)
    expressions = [
        {"key": "app", "operator": "In", "values": ["web"]},
        {"key": "x", "operator": "DoesNotExist"},
    ]
    selector = {"matchLabels": {"tier": "front"}, "matchExpressions": expressions}
    assert selects(selector, LABELS)
    assert not selects(selector, {**LABELS, "x": "1"})
    assert as_text(selector) == "tier=front,app in (web),!x"
    assert label_selector(as_text(selector))(POD)
