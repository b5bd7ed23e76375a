"""Quotas and limit ranges, as they answer those who create something."""

from __future__ import annotations

from petops.lab import kubernetes_status as says
from petops.lab.quotas import ForbiddenError, Quotas
from petops.lab.resource_rows import Resource
from petops.lab.store import Json, ObjectStore


class Charges:
    """Lets new objects count against their namespace."""

    def __init__(self, store: ObjectStore) -> None:
        self._quotas = Quotas(store)

    def charge(self, resource: Resource, made: Json) -> None:
        """Raise ApiError where a namespace's quotas and limits leave no room."""
        if not resource.namespaced or not isinstance(made.get("spec", {}), dict):
            return
        name = made["metadata"].get("name") or made["metadata"].get("generateName", "")
        try:
            if resource.plural == "pods":
                self._quotas.admit(made)
            else:
                said = f'{resource.qualified} "{name}" is forbidden: '
                self._quotas.charge(resource.plural, made, said)
        except ForbiddenError as exc:
            raise says.forbidden_by_admission(resource, name, str(exc)) from exc
        except (AttributeError, KeyError, TypeError, ValueError):
            return  # what is wrong with it is said where it is read
