"""Creating pods as controllers do: through the same admission as everybody, with its refusals."""

from __future__ import annotations

from typing import Final

from petops.lab.claims import claimed
from petops.lab.defaults import fill_in
from petops.lab.event_recorder import EventRecorder
from petops.lab.pod_facts import is_active, owner_reference
from petops.lab.quotas import ForbiddenError, Quotas
from petops.lab.resources import stored
from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, clone

MOST_PODS: Final = 10_000
"""A replica count may be any number; pods take memory and time. The largest lab has 6,600."""


class PodCreation:
    """Makes pods of templates."""

    def __init__(self, stage: Stage, events: EventRecorder) -> None:
        self._stage, self._events = stage, events
        self._quotas = Quotas(stage.store)

    def create(
        self, component: str, resource: str, owner: Json, *, pod: Json | None = None
    ) -> Json:
        """Make a pod of its owner's template, changed by `pod`; raise ForbiddenError if it may not.

        Either way an event of the owner says so.
        """
        row = stored(resource)
        template = clone(owner["spec"]["template"])
        changes = pod or {}
        kept = template.get("metadata") or {}
        named = changes.get("name") or {"generateName": f"{owner['metadata']['name']}-"}
        labels = {**(kept.get("labels") or {}), **changes.get("labels", {})}
        metadata: Json = {"namespace": owner["metadata"]["namespace"], **named, "labels": labels}
        if kept.get("annotations"):
            metadata["annotations"] = kept["annotations"]
        metadata["ownerReferences"] = [owner_reference(row.api_version, row.kind, owner)]
        made = {"metadata": metadata, "spec": {**template["spec"], **changes.get("spec", {})}}
        try:
            self._admit(made)
        except ForbiddenError as exc:
            text = f"{_failing(resource, owner, named)}{exc}"
            self._events.controller(component, resource, owner, "FailedCreate", text, warning=True)
            raise
        fill_in("pods", made, self._stage.chance)
        created = self._stage.create(CONTROLLERS, "pods", made)
        text = _made(resource, owner, created["metadata"]["name"])
        self._events.controller(component, resource, owner, "SuccessfulCreate", text)
        return created

    def _admit(self, made: Json) -> None:
        if self._stage.store.count("pods") >= MOST_PODS:
            raise ForbiddenError(f"the lab holds {MOST_PODS} pods at most")
        self._quotas.admit(made)

    def pods_of(self, resource: str, owner: Json) -> list[Json]:
        """Return the pods that an owner controls, by name, orphans of its selector adopted."""
        prefix = f"{owner['metadata']['name']}-"

        def could_be(pod: Json) -> bool:
            name = str(pod["metadata"]["name"])
            if resource == "statefulsets":
                return name.startswith(prefix) and name[len(prefix) :].isdecimal()
            placed = resource != "daemonsets" or bool(pod["spec"].get("nodeName"))
            return placed and is_active(pod)

        return claimed(self._stage, "pods", resource, owner, could_be)


def _failing(resource: str, owner: Json, named: Json) -> str:
    """Return what stands before the API server's words; StatefulSets have words of their own."""
    if resource != "statefulsets":
        return "Error creating: "
    return f"create Pod {named['name']} in StatefulSet {owner['metadata']['name']} failed error: "


def _made(resource: str, owner: Json, name: str) -> str:
    if resource != "statefulsets":
        return f"Created pod: {name}"
    return f"create Pod {name} in StatefulSet {owner['metadata']['name']} successful"
