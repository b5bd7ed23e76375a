"""The controllers of Services (Endpoints, EndpointSlices) and PodDisruptionBudgets (status)."""

from __future__ import annotations

from typing import Any

from petops.lab.pod_facts import OVER, is_active, is_ready, owner_reference
from petops.lab.quantities import share, stamp
from petops.lab.selectors import selects
from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, clone, key_of


class Endpoints:
    """Lists the pods behind Services."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def pods_behind(self, service: Json) -> list[Json]:
        """Return the pods with an address that a Service selects, by name."""
        selector = service["spec"].get("selector")
        if not selector:
            return []
        found = [
            pod
            for pod in self._stage.store.objects("pods", service["metadata"]["namespace"])
            if pod["status"].get("podIP")
            and pod["status"].get("phase") not in OVER
            and selects({"matchLabels": selector}, pod["metadata"].get("labels") or {})
        ]
        return sorted(found, key=key_of)

    def reconcile(self, namespace: str, name: str) -> None:
        """Bring a Service's Endpoints and EndpointSlice up to date."""
        store = self._stage.store
        service = store.find("services", namespace, name)
        slices = [
            one for one in store.objects("endpointslices", namespace) if _slice_of(one) == name
        ]
        if service is not None and not service["spec"].get("selector"):
            return  # somebody else writes them, as the API server does its own
        if service is None:
            for one in slices:
                store.delete("endpointslices", *key_of(one))
            if store.find("endpoints", namespace, name):
                store.delete("endpoints", namespace, name)
            return
        pods = self.pods_behind(service)
        self._write_endpoints(service, pods)
        self._write_slice(service, pods, slices[0] if slices else None)

    def _write_endpoints(self, service: Json, pods: list[Json]) -> None:
        subsets = _subsets(service, pods)
        namespace, name = key_of(service)
        there = self._stage.store.find("endpoints", namespace, name)
        if there is not None and there.get("subsets", []) == subsets:
            return
        if there is None:
            labels = service["metadata"].get("labels") or {}
            metadata = {"name": name, "namespace": namespace, "labels": dict(labels)}
            made: Json = {"metadata": metadata}
            if subsets:
                made["subsets"] = subsets
            self._stage.create(CONTROLLERS, "endpoints", made)
            return

        def write(found: Json) -> None:
            found.pop("subsets", None)
            if subsets:
                found["subsets"] = subsets

        self._stage.edit(CONTROLLERS, "endpoints", (namespace, name), write)

    def _write_slice(self, service: Json, pods: list[Json], found: Json | None) -> None:
        namespace, name = key_of(service)
        content = {
            "addressType": "IPv4",
            "endpoints": [self._endpoint(pod) for pod in pods],
            "ports": [{"name": "", **one} for one in _ports(service, pods)],
        }
        if found is not None:
            if any(found.get(name) != one for name, one in content.items()):
                key = key_of(found)
                self._stage.edit(
                    CONTROLLERS, "endpointslices", key, lambda one: one.update(content)
                )
            return
        labels = {
            **(service["metadata"].get("labels") or {}),
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            "kubernetes.io/service-name": name,
        }
        metadata = {
            "generateName": f"{name}-",
            "namespace": namespace,
            "labels": labels,
            "ownerReferences": [owner_reference("v1", "Service", service)],
            "generation": 1,
        }
        self._stage.create(CONTROLLERS, "endpointslices", {"metadata": metadata, **content})

    def _endpoint(self, pod: Json) -> Json:
        ready, ends = is_ready(pod), "deletionTimestamp" in pod["metadata"]
        node = self._stage.store.find("nodes", "", pod["spec"]["nodeName"])
        labels = node["metadata"].get("labels") or {} if node else {}
        return {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {"ready": ready and not ends, "serving": ready, "terminating": ends},
            "targetRef": _reference(pod),
            "nodeName": pod["spec"]["nodeName"],
            "zone": labels.get("topology.kubernetes.io/zone", ""),
        }


def _slice_of(found: Json) -> Any:
    return (found["metadata"].get("labels") or {}).get("kubernetes.io/service-name")


def _reference(pod: Json) -> Json:
    namespace, name = key_of(pod)
    return {"kind": "Pod", "namespace": namespace, "name": name, "uid": pod["metadata"]["uid"]}


def _subsets(service: Json, pods: list[Json]) -> list[Json]:
    ready: list[Json] = []
    waiting: list[Json] = []
    for pod in filter(is_active, pods):
        address = {
            "ip": pod["status"]["podIP"],
            "nodeName": pod["spec"]["nodeName"],
            "targetRef": _reference(pod),
        }
        (ready if is_ready(pod) else waiting).append(address)
    subset: Json = {}
    if ready:
        subset["addresses"] = ready
    if waiting:
        subset["notReadyAddresses"] = waiting
    return [{**subset, "ports": _ports(service, pods)}] if subset else []


def _ports(service: Json, pods: list[Json]) -> list[Json]:
    """Return the ports that traffic arrives at: a target's name is looked up in a pod."""
    found = []
    for port in service["spec"].get("ports") or ():
        target: Any = port.get("targetPort", port["port"])
        for pod in pods[:1]:
            for container in pod["spec"]["containers"]:
                for one in container.get("ports") or ():
                    if one.get("name") == target:
                        target = one["containerPort"]
        if isinstance(target, int):  # else no pod has a port of that name
            made: Json = {"name": port["name"]} if port.get("name") else {}
            found.append({**made, "protocol": port.get("protocol", "TCP"), "port": target})
    return found


class Budgets:
    """Counts what PodDisruptionBudgets allow."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def reconcile(self, namespace: str, name: str) -> None:
        """Bring one budget's status up to date."""
        found = self._stage.store.find("poddisruptionbudgets", namespace, name)
        if found is None:
            return
        selector = found["spec"].get("selector")
        pods = [
            pod
            for pod in self._stage.store.objects("pods", namespace)
            if is_active(pod) and selects(selector, pod["metadata"].get("labels") or {})
        ]
        disrupted = (found.get("status") or {}).get("disruptedPods") or {}
        still = {pod["metadata"]["name"] for pod in pods} & set(disrupted)
        healthy = sum(is_ready(pod) and pod["metadata"]["name"] not in still for pod in pods)
        needed = _needed(found["spec"], len(pods))
        allowed = max(healthy - needed, 0) if pods else 0
        status: Json = {"observedGeneration": found["metadata"]["generation"]}
        if still:
            status["disruptedPods"] = {pod: disrupted[pod] for pod in sorted(still)}
        status |= {
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": needed,
            "expectedPods": len(pods),
        }
        status["conditions"] = [self._condition(found, allowed > 0)]

        key = (namespace, name)
        self._stage.write_status(CONTROLLERS, "poddisruptionbudgets", key, clone(status))

    def _condition(self, found: Json, allowed: bool) -> Json:
        before = ((found.get("status") or {}).get("conditions") or [{}])[0]
        same = before.get("status") == str(allowed)
        return {
            "type": "DisruptionAllowed",
            "status": str(allowed),
            "observedGeneration": found["metadata"]["generation"],
            "lastTransitionTime": before["lastTransitionTime"] if same else stamp(self._stage.now),
            "reason": "SufficientPods" if allowed else "InsufficientPods",
            "message": "",
        }


def _needed(spec: Json, expected: int) -> int:
    if "maxUnavailable" in spec:
        return max(expected - share(spec["maxUnavailable"], expected, round_up=True), 0)
    return share(spec.get("minAvailable", 1), expected, round_up=True)
