"""What the API server fills in where a manifest says nothing."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from petops.lab.chance import Chance
from petops.lab.quantities import amount
from petops.lab.store import Json

_POD_SPEC: Final[Mapping[str, Any]] = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
}
_PROBE: Final[Mapping[str, Any]] = {
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
_TOLERATED_SECONDS: Final = 300
_RETAINED: Final = {"whenDeleted": "Retain", "whenScaled": "Retain"}
_PRIORITIES: Final = {
    "system-cluster-critical": 2_000_000_000,
    "system-node-critical": 2_000_001_000,
}
_NODE_PORTS: Final = range(30_000, 32_768)


def fill_in(resource: str, made: Json, chance: Chance) -> None:
    """Write the defaults for a resource into an object that is being created or changed."""
    filler = _FILLERS.get(resource)
    if filler is not None and isinstance(made.get("spec", {}), dict):
        filler(made.setdefault("spec", {}), made, chance)


def _deployment(spec: Json, made: Json, chance: Chance) -> None:
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.get("rollingUpdate") or {}
        strategy["rollingUpdate"] = rolling
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _template(spec)


def _replica_set(spec: Json, made: Json, chance: Chance) -> None:
    spec.setdefault("replicas", 1)
    _template(spec)


def _daemon_set(spec: Json, made: Json, chance: Chance) -> None:
    strategy = spec.setdefault("updateStrategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.get("rollingUpdate") or {}
        strategy["rollingUpdate"] = {"maxSurge": 0, "maxUnavailable": 1, **rolling}
    spec.setdefault("revisionHistoryLimit", 10)
    _template(spec)


def _stateful_set(spec: Json, made: Json, chance: Chance) -> None:
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        strategy["rollingUpdate"] = {"partition": 0, **(strategy.get("rollingUpdate") or {})}
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("persistentVolumeClaimRetentionPolicy", dict(_RETAINED))
    _template(spec)


def _job(spec: Json, made: Json, chance: Chance) -> None:
    spec.setdefault("parallelism", 1)
    spec.setdefault("completions", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
    if "selector" not in spec and isinstance(spec.get("template"), dict):
        metadata = made["metadata"]
        uid = metadata.setdefault("uid", chance.uid("job", metadata.get("name")))
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
        template = spec["template"].setdefault("metadata", {})
        if isinstance(template, dict):
            own = {"controller-uid": uid, "job-name": metadata.get("name", "")}
            whole = {f"batch.kubernetes.io/{name}": value for name, value in own.items()}
            template["labels"] = {**(template.get("labels") or {}), **whole, **own}
    _template(spec)


def _cron_job(spec: Json, made: Json, chance: Chance) -> None:
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)


def _template(spec: Json) -> None:
    template = spec.get("template")
    if isinstance(template, dict):
        template.setdefault("metadata", {}).setdefault("creationTimestamp", None)
        pod_spec(template.setdefault("spec", {}))


def pod_spec(spec: Json) -> None:
    """Fill in what a pod template and a pod have in common."""
    for name, value in _POD_SPEC.items():
        spec.setdefault(name, value)
    spec.setdefault("securityContext", {})
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        if isinstance(container, dict):
            _container(container)


def _container(container: Json) -> None:
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    resources = container.setdefault("resources", {})
    limits = resources.get("limits")
    if limits:
        requests = resources.setdefault("requests", {})
        for name, value in limits.items():
            requests.setdefault(name, value)
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        if isinstance(container.get(probe), dict):
            for name, value in _PROBE.items():
                container[probe].setdefault(name, value)
            if isinstance(container[probe].get("httpGet"), dict):
                container[probe]["httpGet"].setdefault("scheme", "HTTP")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    tag = str(container.get("image", "")).rpartition("/")[2].partition(":")[2]
    container.setdefault(
        "imagePullPolicy", "IfNotPresent" if tag not in {"", "latest"} else "Always"
    )


def _pod(spec: Json, made: Json, chance: Chance) -> None:
    pod_spec(spec)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    tolerations = spec.get("tolerations") or []
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(one.get("key") in {key, None} for one in tolerations):
            tolerations.append(
                {
                    "key": key,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": _TOLERATED_SECONDS,
                }
            )
    spec["tolerations"] = tolerations
    spec.setdefault("priority", _PRIORITIES.get(str(spec.get("priorityClassName")), 0))
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    status = made.setdefault("status", {})
    status.setdefault("phase", "Pending")
    status.setdefault("qosClass", quality_of_service(spec))


def quality_of_service(spec: Json) -> str:
    """Return `Guaranteed`, `Burstable` or `BestEffort`."""
    containers = spec.get("containers") or []
    resources = [one.get("resources") or {} for one in containers]
    if not any(one.get("limits") or one.get("requests") for one in resources):
        return "BestEffort"
    for one in resources:
        for name in ("cpu", "memory"):
            limit = amount(one, "limits", name)
            if limit is None or amount(one, "requests", name) != limit:
                return "Burstable"
    return "Guaranteed"


def _service(spec: Json, made: Json, chance: Chance) -> None:
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    if spec.setdefault("type", "ClusterIP") != "ExternalName" and "clusterIP" not in spec:
        key = (made["metadata"].get("namespace"), made["metadata"].get("name"))
        high, low = chance.digest("cluster-ip", *key)[:2]
        spec["clusterIP"] = f"172.20.{high}.{low}"
    made.setdefault("status", {"loadBalancer": {}})
    if spec["type"] == "ExternalName":
        return
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        _reachable_from_outside(spec, made, chance)
    if "clusterIP" in spec:
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    spec.setdefault("internalTrafficPolicy", "Cluster")


def _reachable_from_outside(spec: Json, made: Json, chance: Chance) -> None:
    spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    key = (made["metadata"].get("namespace"), made["metadata"].get("name"))
    for port in spec.get("ports") or ():
        drawn = chance.unit("node-port", *key, port.get("port"))
        port.setdefault("nodePort", _NODE_PORTS.start + int(drawn * len(_NODE_PORTS)))


def _secret(spec: Json, made: Json, chance: Chance) -> None:
    del made["spec"]
    made.setdefault("type", "Opaque")
    texts = made.pop("stringData", None) or {}
    coded = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    if coded:
        made["data"] = {**(made.get("data") or {}), **coded}


def _nothing(spec: Json, made: Json, chance: Chance) -> None:
    return


def _node(spec: Json, made: Json, chance: Chance) -> None:
    status = made.setdefault("status", {})
    for name in ("capacity", "allocatable"):
        status.setdefault(name, {})
        for resource in ("cpu", "memory", "pods"):
            status[name].setdefault(resource, "0")


def _namespace(spec: Json, made: Json, chance: Chance) -> None:
    spec.setdefault("finalizers", ["kubernetes"])
    made.setdefault("status", {"phase": "Active"})
    labels = made["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = made["metadata"].get("name", "")


def event(made: Json) -> None:
    """Fill in an event, which has no spec."""
    made.setdefault("source", {})
    for name in ("firstTimestamp", "lastTimestamp", "eventTime"):
        made.setdefault(name, None)
    made.setdefault("reportingComponent", "")
    made.setdefault("reportingInstance", "")


_FILLERS: Final[Mapping[str, Callable[[Json, Json, Chance], None]]] = {
    "cronjobs": _cron_job,
    "daemonsets": _daemon_set,
    "deployments": _deployment,
    "jobs": _job,
    "horizontalpodautoscalers": _nothing,
    "namespaces": _namespace,
    "nodes": _node,
    "pods": _pod,
    "replicasets": _replica_set,
    "secrets": _secret,
    "services": _service,
    "statefulsets": _stateful_set,
}
