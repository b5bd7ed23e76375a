"""ControllerRevisions: what a DaemonSet's or StatefulSet's template was, for history and undo."""

from __future__ import annotations

from petops.lab.deployments import bare_template
from petops.lab.pod_facts import controller_of, owner_reference
from petops.lab.resources import stored
from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, key_of


class Revisions:
    """Keeps one for each template."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def keep(self, resource: str, owner: Json, label: str) -> None:
        """Have the revision of the present template, with the highest number."""
        store, row = self._stage.store, stored(resource)
        namespace, name = key_of(owner)
        uid = owner["metadata"]["uid"]
        mine = [
            one
            for one in store.objects("controllerrevisions", namespace)
            if (controller_of(one) or {}).get("uid") == uid
        ]
        latest = max((one["revision"] for one in mine), default=0)
        there = store.find("controllerrevisions", namespace, f"{name}-{label}")
        if there is not None:
            if there["revision"] != latest:
                self._stage.edit(
                    CONTROLLERS,
                    "controllerrevisions",
                    key_of(there),
                    lambda one: one.__setitem__("revision", latest + 1),
                )
            return
        template = {**bare_template(owner["spec"]["template"]), "$patch": "replace"}
        labels = {**(owner["spec"]["template"].get("metadata", {}).get("labels") or {})}
        metadata = {
            "name": f"{name}-{label}",
            "namespace": namespace,
            "labels": {**labels, "controller-revision-hash": label},
            "ownerReferences": [owner_reference(row.api_version, row.kind, owner)],
        }
        made = {
            "metadata": metadata,
            "data": {"spec": {"template": template}},
            "revision": latest + 1,
        }
        self._stage.create(CONTROLLERS, "controllerrevisions", made)
