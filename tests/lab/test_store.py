"""Objects, versions and changes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from petops.lab.store import (
    KEPT_CHANGES,
    AlreadyThereError,
    Change,
    CompactedError,
    NoSuchObjectError,
    ObjectStore,
    PreconditionError,
    StaleWriteError,
    clone,
)


@pytest.fixture
def store() -> ObjectStore:
    return ObjectStore(lambda: datetime(2026, 11, 23, tzinfo=UTC))


def thing(name: str = "web", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def test_what_is_created_gets_uid_time_generation_and_version(store: ObjectStore) -> None:
    made = store.create("deployments", thing(replicas=1))
    assert made["metadata"]["creationTimestamp"] == "2026-11-23T00:00:00Z"
    assert made["metadata"]["generation"] == 1
    assert made["metadata"]["resourceVersion"] == str(store.version)
    assert len(made["metadata"]["uid"]) == 36


def test_generated_names_differ(store: ObjectStore) -> None:
    made = [
        store.create("pods", {"metadata": {"generateName": "web-", "namespace": "default"}})
        for _ in range(50)
    ]
    assert len({one["metadata"]["name"] for one in made}) == 50


def test_only_a_change_of_the_spec_moves_the_generation(store: ObjectStore) -> None:
    made = clone(store.create("deployments", thing(replicas=1)))
    made["status"] = {"replicas": 1}
    with_status = store.update("deployments", made)
    assert with_status["metadata"]["generation"] == 1
    scaled = store.edit("deployments", "default", "web", lambda one: one["spec"].update(replicas=2))
    assert scaled is not None
    assert scaled["metadata"]["generation"] == 2


def test_a_write_that_changes_nothing_is_none(store: ObjectStore) -> None:
    made = store.create("deployments", thing())
    assert store.update("deployments", clone(made)) is made


def test_what_was_stored_is_never_written_to(store: ObjectStore) -> None:
    sent = thing(replicas=1)
    made = store.create("deployments", sent)
    before = clone(made)
    sent["spec"]["replicas"] = 9
    store.edit("deployments", "default", "web", lambda one: one["spec"].update(replicas=3))
    assert made == before


def test_a_stale_write_is_refused(store: ObjectStore) -> None:
    made = store.create("deployments", thing(replicas=1))
    store.edit("deployments", "default", "web", lambda one: one["spec"].update(replicas=2))
    with pytest.raises(StaleWriteError):
        store.update("deployments", made)


def test_names_are_taken_once_and_missing_ones_are_missing(store: ObjectStore) -> None:
    store.create("deployments", thing())
    with pytest.raises(AlreadyThereError):
        store.create("deployments", thing())
    with pytest.raises(NoSuchObjectError):
        store.get("deployments", "default", "other")


@pytest.mark.parametrize("wanted", [{"uid": "x", "version": None}, {"uid": None, "version": "1"}])
def test_preconditions_are_held_to(store: ObjectStore, wanted: dict[str, str | None]) -> None:
    made = store.create("deployments", thing())
    store.check(made, uid=made["metadata"]["uid"], version=made["metadata"]["resourceVersion"])
    with pytest.raises(PreconditionError):
        store.check(made, **wanted)


def test_changes_are_told_in_order_with_what_was_before(store: ObjectStore) -> None:
    start = store.version
    told: list[Change] = []
    end = store.subscribe(told.append)
    store.create("deployments", thing(replicas=1))
    store.edit("deployments", "default", "web", lambda one: one["spec"].update(replicas=2))
    store.delete("deployments", "default", "web")
    end()
    store.create("deployments", thing())
    assert [one.kind for one in told] == ["ADDED", "MODIFIED", "DELETED"]
    assert told[1].before is not None
    assert told[1].before["spec"] == {"replicas": 1}
    assert [one.kind for one in store.changes_after(start, "deployments")][:3] == [
        one.kind for one in told
    ]
    assert store.changes_after(start, "pods") == []


def test_changes_are_forgotten_after_a_while(store: ObjectStore) -> None:
    start = store.version
    store.create("leases", thing())
    for number in range(KEPT_CHANGES):
        store.edit(
            "leases",
            "default",
            "web",
            lambda one, n=number: one["spec"].update(n=n),  # type: ignore[misc]
        )
    with pytest.raises(CompactedError, match=f"too old resource version: {start}"):
        store.changes_after(start, "leases")
    assert len(store.changes_after(store.oldest, "leases")) == KEPT_CHANGES
