"""Creating pods as controllers do: through the same admission as everybody, with its refusals."""

from __future__ import annotations

from petops.lab.defaults import fill_in
from petops.lab.event_recorder import EventRecorder
from petops.lab.pod_facts import controller_of, owner_reference
from petops.lab.quotas import ForbiddenError, Quotas
from petops.lab.resources import stored
from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, clone, key_of


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
            self._quotas.admit(made)
        except ForbiddenError as exc:
            text = f"Error creating: {exc}"
            self._events.controller(component, resource, owner, "FailedCreate", text, warning=True)
            raise
        fill_in("pods", made, self._stage.chance)
        created = self._stage.create(CONTROLLERS, "pods", made)
        text = f"Created pod: {created['metadata']['name']}"
        self._events.controller(component, resource, owner, "SuccessfulCreate", text)
        return created

    def pods_of(self, owner: Json) -> list[Json]:
        """Return the pods that an owner controls, by name."""
        namespace, uid = owner["metadata"]["namespace"], owner["metadata"]["uid"]
        return sorted(
            (
                pod
                for pod in self._stage.store.objects("pods", namespace)
                if (controller_of(pod) or {}).get("uid") == uid
            ),
            key=key_of,
        )
