"""Which fields the commonest kinds have, so that a misspelt one is found as on a real cluster.

What is not listed (most status fields, rarer kinds) is taken as it comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from petops.lab.store import Json

Schema = Mapping[str, Any]
"""Field to the schema below it; `{}` is anything."""


def _fields(names: str, **below: Any) -> dict[str, Any]:
    return {**{name: {} for name in names.split()}, **below}


_OBJECT_META: Final = _fields(
    "annotations creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers "
    "generateName generation labels managedFields name namespace ownerReferences resourceVersion "
    "selfLink uid"
)
_PROBE: Final = _fields(
    "exec failureThreshold grpc httpGet initialDelaySeconds periodSeconds successThreshold "
    "tcpSocket terminationGracePeriodSeconds timeoutSeconds"
)
_CONTAINER: Final = _fields(
    "args command envFrom image imagePullPolicy lifecycle name resizePolicy restartPolicy "
    "securityContext stdin stdinOnce terminationMessagePath terminationMessagePolicy tty "
    "volumeDevices workingDir",
    env=_fields("name value valueFrom"),
    ports=_fields("containerPort hostIP hostPort name protocol"),
    volumeMounts=_fields(
        "mountPath mountPropagation name readOnly recursiveReadOnly subPath subPathExpr"
    ),
    resources=_fields("claims limits requests"),
    livenessProbe=_PROBE,
    readinessProbe=_PROBE,
    startupProbe=_PROBE,
)
_POD_SPEC: Final = _fields(
    "activeDeadlineSeconds affinity automountServiceAccountToken dnsConfig dnsPolicy "
    "enableServiceLinks ephemeralContainers hostAliases hostIPC hostNetwork hostPID hostUsers "
    "hostname imagePullSecrets nodeName nodeSelector os overhead preemptionPolicy priority "
    "priorityClassName readinessGates resourceClaims resources restartPolicy runtimeClassName "
    "schedulerName schedulingGates securityContext serviceAccount serviceAccountName "
    "setHostnameAsFQDN shareProcessNamespace subdomain terminationGracePeriodSeconds tolerations "
    "topologySpreadConstraints volumes",
    containers=_CONTAINER,
    initContainers=_CONTAINER,
)
_TEMPLATE: Final = {"metadata": _OBJECT_META, "spec": _POD_SPEC}
_SELECTOR: Final = _fields("matchExpressions matchLabels")

_SPECS: Final[Mapping[str, Schema]] = {
    "deployments": _fields(
        "minReadySeconds paused progressDeadlineSeconds replicas revisionHistoryLimit",
        selector=_SELECTOR,
        strategy=_fields("type", rollingUpdate=_fields("maxSurge maxUnavailable")),
        template=_TEMPLATE,
    ),
    "replicasets": _fields("minReadySeconds replicas", selector=_SELECTOR, template=_TEMPLATE),
    "pods": _POD_SPEC,
    "poddisruptionbudgets": _fields(
        "maxUnavailable minAvailable unhealthyPodEvictionPolicy", selector=_SELECTOR
    ),
    "services": _fields(
        "allocateLoadBalancerNodePorts clusterIP clusterIPs externalIPs externalName "
        "externalTrafficPolicy healthCheckNodePort internalTrafficPolicy ipFamilies "
        "ipFamilyPolicy loadBalancerClass loadBalancerIP loadBalancerSourceRanges "
        "publishNotReadyAddresses selector sessionAffinity sessionAffinityConfig "
        "trafficDistribution type",
        ports=_fields("appProtocol name nodePort port protocol targetPort"),
    ),
}


def drop_unknown(resource: str, sent: Json) -> list[str]:
    """Take the fields away that this kind does not have, and return their paths."""
    dropped = list(_drop(sent.get("metadata"), _OBJECT_META, "metadata"))
    spec = _SPECS.get(resource)
    if spec is not None:
        top: Schema = {name: {} for name in ("apiVersion", "kind", "metadata", "spec", "status")}
        dropped += _drop(sent, top, "")
        dropped += _drop(sent.get("spec"), spec, "spec")
    return dropped


def _drop(found: object, schema: Schema, path: str) -> Iterator[str]:
    if isinstance(found, list):
        for position, element in enumerate(found):
            yield from _drop(element, schema, f"{path}[{position}]")
    elif isinstance(found, dict):
        for name in list(found):
            place = f"{path}.{name}" if path else str(name)
            if name not in schema:
                del found[name]
                yield place
            elif schema[name]:
                yield from _drop(found[name], schema[name], place)
