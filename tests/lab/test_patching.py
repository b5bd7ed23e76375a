"""The four kinds of patch."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petops.lab.patching import PatchError, json_patch, merge_patch, strategic_merge
from petops.lab.patching import TestFailedError as NotSoError
from petops.lab.server_side_apply import ApplyConflictError, Writer, apply, as_fields, as_paths
from petops.lab.store import clone

CONTAINERS = {
    "spec": {
        "containers": [
            {"name": "app", "image": "a:1", "env": [{"name": "A", "value": "1"}]},
            {"name": "proxy", "image": "p:1"},
        ]
    }
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.dictionaries(st.text(max_size=3), inner, max_size=3) | st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)


def writer(name: str) -> Writer:
    return Writer(manager=name, at="2026-11-23T00:00:00Z", api_version="apps/v1")


@given(before=JSON, patch=JSON)
def test_a_merge_patch_twice_is_once_and_leaves_what_it_is_given(before: Any, patch: Any) -> None:
    kept = clone(before)
    after = merge_patch(before, patch)
    assert merge_patch(after, patch) == after
    assert before == kept


def test_a_merge_patch_takes_away_what_is_null_and_replaces_lists() -> None:
    after = merge_patch({"a": {"b": 1, "c": 2}, "l": [1, 2]}, {"a": {"b": None}, "l": [3]})
    assert after == {"a": {"c": 2}, "l": [3]}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/l/0", "value": 0}, {"l": [0, 1, 2], "a/b": 1}),
        ({"op": "add", "path": "/l/-", "value": 3}, {"l": [1, 2, 3], "a/b": 1}),
        ({"op": "remove", "path": "/a~1b"}, {"l": [1, 2]}),
        ({"op": "replace", "path": "/l/1", "value": 9}, {"l": [1, 9], "a/b": 1}),
        ({"op": "move", "from": "/l", "path": "/m"}, {"m": [1, 2], "a/b": 1}),
        ({"op": "copy", "from": "/l/0", "path": "/c"}, {"l": [1, 2], "a/b": 1, "c": 1}),
        ({"op": "test", "path": "/l/0", "value": 1}, {"l": [1, 2], "a/b": 1}),
    ],
)
def test_json_patch(operation: dict[str, Any], expected: dict[str, Any]) -> None:
    assert json_patch({"l": [1, 2], "a/b": 1}, [operation]) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "replace", "path": "/nowhere", "value": 1},
        {"op": "remove", "path": "/l/7"},
    ],
)
def test_a_json_patch_that_does_not_hold(operation: dict[str, Any]) -> None:
    with pytest.raises(NotSoError):
        json_patch({"a": 1, "l": []}, [operation])


@pytest.mark.parametrize("nonsense", [{}, "x", [1], [{"op": "add"}], [{"op": "?", "path": "/a"}]])
def test_a_json_patch_that_is_none(nonsense: object) -> None:
    with pytest.raises(PatchError):
        json_patch({"a": 1}, nonsense)


def test_a_strategic_merge_goes_by_name() -> None:
    patch = {"spec": {"containers": [{"name": "app", "env": [{"name": "B", "value": "2"}]}]}}
    after = strategic_merge(CONTAINERS, patch)
    app, proxy = after["spec"]["containers"]
    assert app["image"] == "a:1"
    assert [one["name"] for one in app["env"]] == ["A", "B"]
    assert proxy == {"name": "proxy", "image": "p:1"}


def test_a_strategic_merge_obeys_its_directives() -> None:
    gone = {"spec": {"containers": [{"name": "proxy", "$patch": "delete"}]}}
    assert len(strategic_merge(CONTAINERS, gone)["spec"]["containers"]) == 1
    replaced = {"spec": {"containers": [{"$patch": "replace"}, {"name": "new", "image": "n"}]}}
    assert strategic_merge(CONTAINERS, replaced)["spec"]["containers"] == [
        {"name": "new", "image": "n"}
    ]
    ordered = {
        "spec": {
            "$setElementOrder/containers": [{"name": "proxy"}, {"name": "app"}],
            "containers": [{"name": "app", "image": "a:2"}],
        }
    }
    names = [one["name"] for one in strategic_merge(CONTAINERS, ordered)["spec"]["containers"]]
    assert names == ["proxy", "app"]
    retained = strategic_merge(
        {"type": "RollingUpdate", "rollingUpdate": {}},
        {"$retainKeys": ["type"], "type": "Recreate"},
    )
    assert retained == {"type": "Recreate"}


def test_an_element_without_its_key_is_refused() -> None:
    with pytest.raises(PatchError, match="merge key: name"):
        strategic_merge(CONTAINERS, {"spec": {"containers": [{"image": "x"}]}})


def applied(replicas: int | None = None, **labels: str) -> dict[str, Any]:
    spec = {} if replicas is None else {"replicas": replicas}
    return {"metadata": {"name": "web", "labels": labels}, "spec": spec}


def test_server_side_apply_owns_merges_and_takes_back() -> None:
    first = apply(None, applied(2, a="1"), writer("one"), force=False)
    second = apply(first, applied(b="2"), writer("two"), force=False)
    assert second["metadata"]["labels"] == {"a": "1", "b": "2"}
    third = apply(second, applied(2), writer("one"), force=False)
    assert third["metadata"]["labels"] == {"b": "2"}
    assert {one["manager"] for one in third["metadata"]["managedFields"]} == {"one", "two"}


def test_server_side_apply_names_conflicts_and_force_wins() -> None:
    first = apply(None, applied(2), writer("one"), force=False)
    with pytest.raises(ApplyConflictError) as caught:
        apply(first, applied(5), writer("two"), force=False)
    assert caught.value.conflicts == [('conflict with "one" using apps/v1', ".spec.replicas")]
    forced = apply(first, applied(5), writer("two"), force=True)
    assert forced["spec"]["replicas"] == 5
    owners = [one["manager"] for one in forced["metadata"]["managedFields"]]
    assert owners[-1] == "two"
    assert "f:replicas" not in str(forced["metadata"]["managedFields"][:-1])


def test_field_sets_go_there_and_back() -> None:
    made = apply(None, {"metadata": {"name": "x"}, **CONTAINERS}, writer("one"), force=False)
    fields = made["metadata"]["managedFields"][0]["fieldsV1"]
    assert 'k:{"name":"app"}' in fields["f:spec"]["f:containers"]
    assert as_fields(set(as_paths(fields))) == fields
