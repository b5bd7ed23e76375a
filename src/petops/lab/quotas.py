"""Admission by ResourceQuotas and LimitRanges: defaults, bounds, and what is used up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from petops.lab.chance import Chance
from petops.lab.pod_facts import OVER
from petops.lab.pod_references import faults_of_references
from petops.lab.quantities import amount, quantity, shown
from petops.lab.resources import SERVED
from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, ObjectStore, clone, key_of

_COMPUTE: Final = {
    "cpu": ("requests", "cpu"),
    "memory": ("requests", "memory"),
    "requests.cpu": ("requests", "cpu"),
    "requests.memory": ("requests", "memory"),
    "limits.cpu": ("limits", "cpu"),
    "limits.memory": ("limits", "memory"),
}
_PLAIN: Final = frozenset({"configmaps", "pods", "secrets", "services"})


class ForbiddenError(Exception):
    """Admission turns an object down; the text is the API server's, with its beginning."""


class Quotas:
    """Checks new objects against a namespace's bounds."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def admit(self, pod: Json) -> None:
        """Give a new pod its LimitRanges' defaults; raise ForbiddenError if it may not be."""
        namespace = pod["metadata"]["namespace"]
        name = pod["metadata"].get("name")
        if not name:
            prefix = pod["metadata"].get("generateName", "")
            name = prefix + Chance(0).suffix(5, "refused", prefix, self._store.version)
        said = f'pods "{name}" is forbidden: '
        for found in sorted(self._store.objects("limitranges", namespace), key=key_of):
            for rule in (found.get("spec") or {}).get("limits") or ():
                if rule.get("type") == "Container":
                    self._bound(pod, rule, said)
        for fault in faults_of_references(self._store, pod):
            raise ForbiddenError(f"{said}{fault}")
        self.charge("pods", pod, said)

    def charge(self, plural: str, made: Json, said: str) -> None:
        """Raise ForbiddenError if a new object is more than a quota still has."""
        namespace = made["metadata"]["namespace"]
        for found in sorted(self._store.objects("resourcequotas", namespace), key=key_of):
            hard = (found.get("spec") or {}).get("hard") or {}
            name = found["metadata"]["name"]
            asked = dict(_asked(plural, made, hard))
            if lacking := sorted(key for key, value in asked.items() if value is None):
                where = ",".join(one["name"] for one in made["spec"].get("containers") or ())
                each = "; ".join(f"{key} for: {where}" for key in lacking)
                raise ForbiddenError(f"{said}failed quota: {name}: must specify {each}")
            used = self.used(namespace, hard)
            over = sorted(
                key
                for key, value in asked.items()
                if value and used[key] + value > quantity(hard[key]) + 1e-9
            )
            if over:
                raise ForbiddenError(
                    f"{said}exceeded quota: {name}, "
                    f"requested: {','.join(f'{key}={shown(key, asked[key] or 0)}' for key in over)}"
                    f", used: {','.join(f'{key}={shown(key, used[key])}' for key in over)}, "
                    f"limited: {','.join(f'{key}={hard[key]}' for key in over)}"
                )

    def used(self, namespace: str, hard: Json) -> dict[str, float]:
        """Return what a namespace uses of each thing that a quota speaks of."""
        totals = dict.fromkeys(hard, 0.0)
        for plural in {_counted(key) for key in hard} - {""}:
            for found in self._store.objects(plural, namespace):
                for key, value in _asked(plural, found, hard):
                    totals[key] += value or 0.0
        return totals

    @staticmethod
    def _bound(pod: Json, rule: Json, said: str) -> None:
        wrong: list[str] = []
        for container in pod["spec"].get("containers") or ():
            resources = container.setdefault("resources", {})
            for kind, default in (("limits", "default"), ("requests", "defaultRequest")):
                for name, value in (rule.get(default) or {}).items():
                    limited = (resources.get("limits") or {}).get(name)
                    if kind == "requests" and limited is not None and default not in rule:
                        value = limited  # noqa: PLW2901
                    resources.setdefault(kind, {}).setdefault(name, value)
            wrong += _outside(resources, rule)
        if wrong:
            text = wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]"
            raise ForbiddenError(f"{said}{text}")


def _outside(resources: Json, rule: Json) -> Iterator[str]:
    for name, least in sorted((rule.get("min") or {}).items()):
        asked = amount(resources, "requests", name)
        if asked is None:
            yield f"minimum {name} usage per Container is {least}.  No request is specified"
        elif asked < quantity(least):
            shown_as = resources["requests"][name]
            yield f"minimum {name} usage per Container is {least}, but request is {shown_as}"
    for name, most in sorted((rule.get("max") or {}).items()):
        limit = amount(resources, "limits", name)
        if limit is None:
            yield f"maximum {name} usage per Container is {most}.  No limit is specified"
        elif limit > quantity(most):
            shown_as = resources["limits"][name]
            yield f"maximum {name} usage per Container is {most}, but limit is {shown_as}"


def _counted(key: str) -> str:
    """Return the resource whose objects count for a quota's key; empty if the lab counts none."""
    if key in _COMPUTE:
        return "pods"
    if key in _PLAIN:
        return key
    wanted = key.removeprefix("count/")
    return next((one.plural for one in SERVED if key != wanted and one.qualified == wanted), "")


def _asked(plural: str, found: Json, hard: Json) -> Iterator[tuple[str, float | None]]:
    """Yield what an object takes of a quota; None for what it has to say and does not."""
    over = plural == "pods" and (found.get("status") or {}).get("phase") in OVER
    for key in hard:
        if _counted(key) != plural:
            continue
        if key not in _COMPUTE:
            yield key, 0.0 if over and not key.startswith("count/") else 1.0
        elif not over:
            yield key, _sum(found["spec"].get("containers") or (), *_COMPUTE[key])


def _sum(containers: Any, kind: str, name: str) -> float | None:
    values = []
    for one in containers:
        resources = one.get("resources") or {}
        value = amount(resources, kind, name)
        values.append(amount(resources, "limits", name) if value is None else value)
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


class QuotaStatus:
    """Keeps what ResourceQuotas say of what is used."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._store, self._quotas = stage, stage.store, Quotas(stage.store)

    def concerns(self, resource: str) -> bool:
        """Say whether objects of this resource may be counted by a quota."""
        return resource in _PLAIN or resource in {"deployments", "jobs", "replicasets"}

    def reconcile(self, namespace: str, name: str) -> None:
        """Bring one quota's status up to date."""
        found = self._store.find("resourcequotas", namespace, name)
        if found is None:
            return
        hard = clone((found.get("spec") or {}).get("hard") or {})
        used = self._quotas.used(namespace, hard)

        status = {"hard": hard, "used": {key: shown(key, value) for key, value in used.items()}}
        self._stage.write_status(CONTROLLERS, "resourcequotas", (namespace, name), status)
