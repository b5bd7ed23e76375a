"""What a scenario is: a fault as a manifest, what it is to be recognised as, how it behaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import yaml

from petops.lab.programs import BehaviourOf, ordinary
from petops.lab.quantities import stamp

EXPIRES_ANNOTATION: Final = "petops.dev/expires-at"
SCENARIO_LABEL: Final = "petops.dev/scenario"
MANAGED_BY: Final = "petops-chaos"
DEFAULT_TTL: Final = timedelta(minutes=10)
_PATIENCE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One fault. `text` is its manifest as it stands, good for `kubectl apply -f` on any cluster.

    `service` is the Service that it stands behind, empty for a fault of a node. `behaviour` is what
    the manifest's program does where it is simulated; it reads the same environment.
    """

    name: str
    summary: str
    service: str
    diagnosis: str
    text: str
    remedy: str = ""
    behaviour: BehaviourOf = ordinary

    @property
    def namespace(self) -> str:
        """The namespace that its objects are in."""
        return str(self.documents()[0]["metadata"]["namespace"])

    def documents(
        self, *, now: datetime | None = None, ttl: timedelta = DEFAULT_TTL
    ) -> list[dict[str, Any]]:
        """Return the objects with a time limit, and with its end where `now` is given."""
        found = [document for document in yaml.safe_load_all(self.text) if document]
        for document in found:
            if "activeDeadlineSeconds" in document["spec"]:
                seconds = int((ttl + _PATIENCE).total_seconds())
                document["spec"]["activeDeadlineSeconds"] = seconds
            for variable in _variables(document):
                if variable["name"] == "TTL_SECONDS":
                    variable["value"] = str(int(ttl.total_seconds()))
                elif variable["name"] == "EXPIRES_AT" and now is not None:
                    variable["value"] = stamp(now + ttl)
            if now is not None:
                annotations = document["metadata"].setdefault("annotations", {})
                annotations[EXPIRES_ANNOTATION] = stamp(now + ttl)
        return found

    def manifest(self, *, now: datetime | None = None, ttl: timedelta = DEFAULT_TTL) -> str:
        """Return `documents` as YAML."""
        return yaml.safe_dump_all(self.documents(now=now, ttl=ttl), sort_keys=False)


def _variables(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    template = (document.get("spec") or {}).get("template") or {}
    for container in (template.get("spec") or {}).get("containers") or ():
        yield from container.get("env") or ()
