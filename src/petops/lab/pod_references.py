"""What admission looks up for a pod: its ServiceAccount and its PriorityClass have to be there."""

from __future__ import annotations

from collections.abc import Iterator

from petops.lab.store import Json, ObjectStore


def faults_of_references(store: ObjectStore, pod: Json) -> Iterator[str]:
    """Yield what the API server says of what a pod names and nobody made.

    A namespace's own account is made a moment after the namespace: admission waits for it.
    """
    spec, namespace = pod["spec"], pod["metadata"]["namespace"]
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    if account != "default" and store.find("serviceaccounts", namespace, account) is None:
        yield (
            f"error looking up service account {namespace}/{account}: "
            f'serviceaccount "{account}" not found'
        )
    priority = spec.get("priorityClassName")
    if priority and store.find("priorityclasses", "", priority) is None:
        yield f"no PriorityClass with name {priority} was found"
