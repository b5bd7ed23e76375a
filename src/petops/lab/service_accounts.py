"""What every namespace has from its beginning: a ServiceAccount, and the cluster's certificate."""

from __future__ import annotations

from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json

CERTIFICATES = "kube-root-ca.crt"


class ServiceAccounts:
    """Gives namespaces their `default` account."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def reconcile(self, _: str, name: str) -> None:
        """Make what a namespace lacks."""
        found = self._stage.store.find("namespaces", "", name)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return
        made: dict[str, tuple[str, Json]] = {
            "serviceaccounts": ("default", {}),
            "configmaps": (CERTIFICATES, {"data": {"ca.crt": "the lab serves plain HTTP"}}),
        }
        for resource, (called, content) in made.items():
            if self._stage.store.find(resource, name, called) is None:
                metadata = {"name": called, "namespace": name}
                self._stage.create(CONTROLLERS, resource, {"metadata": metadata, **content})
