"""Which field has which number in Kubernetes' `generated.proto` files, for the kinds that are read.

These are the kinds that `kubectl create`, `delete`, `drain` and `auth` send in protobuf, and of
each the fields that they fill in. A form is a message, a `Many` of one, or one of the words that
`kubernetes_protobuf` knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Many:
    """A repeated message."""

    of: Any


Message = Mapping[int, tuple[str, Any]]
"""Field number to name and form."""

META: Final[Message] = {
    1: ("name", "text"),
    2: ("generateName", "text"),
    3: ("namespace", "text"),
    5: ("uid", "text"),
    6: ("resourceVersion", "text"),
    11: ("labels", "map"),
    12: ("annotations", "map"),
}
OPTIONS: Final[Message] = {
    1: ("gracePeriodSeconds", "number"),
    2: ("preconditions", {1: ("uid", "text"), 2: ("resourceVersion", "text")}),
    3: ("orphanDependents", "flag"),
    4: ("propagationPolicy", "text"),
    5: ("dryRun", "texts"),
}
_ASKED: Final[Message] = {
    1: ("namespace", "text"),
    2: ("verb", "text"),
    3: ("group", "text"),
    4: ("version", "text"),
    5: ("resource", "text"),
    6: ("subresource", "text"),
    7: ("name", "text"),
}
_PATH: Final[Message] = {1: ("path", "text"), 2: ("verb", "text")}
_ACCESS: Final[Message] = {1: ("resourceAttributes", _ASKED), 2: ("nonResourceAttributes", _PATH)}
_PORT_NUMBER: Final = ("number", "unless zero")
_SELECTOR: Final[Message] = {
    1: ("matchLabels", "map"),
    2: (
        "matchExpressions",
        Many({1: ("key", "text"), 2: ("operator", "text"), 3: ("values", "texts")}),
    ),
}
_CONTAINER: Final[Message] = {
    1: ("name", "text"),
    2: ("image", "text"),
    3: ("command", "texts"),
    4: ("args", "texts"),
    5: ("workingDir", "text"),
    6: (
        "ports",
        Many({1: ("name", "text"), 3: ("containerPort", "number"), 4: ("protocol", "text")}),
    ),
    7: ("env", Many({1: ("name", "text"), 2: ("value", "text")})),
    8: ("resources", {1: ("limits", "quantities"), 2: ("requests", "quantities")}),
    14: ("imagePullPolicy", "text"),
}
_POD: Final[Message] = {
    2: ("containers", Many(_CONTAINER)),
    3: ("restartPolicy", "text"),
    4: ("terminationGracePeriodSeconds", "number"),
    5: ("activeDeadlineSeconds", "number"),
    6: ("dnsPolicy", "text"),
    7: ("nodeSelector", "map"),
    8: ("serviceAccountName", "text"),
    10: ("nodeName", "text"),
    20: ("initContainers", Many(_CONTAINER)),
}
_TEMPLATE: Final[Message] = {1: ("metadata", META), 2: ("spec", _POD)}
_DEPLOYMENT: Final[Message] = {
    1: ("replicas", "number"),
    2: ("selector", _SELECTOR),
    3: ("template", _TEMPLATE),
    5: ("minReadySeconds", "unless zero"),
    6: ("revisionHistoryLimit", "number"),
    7: ("paused", "if so"),
    9: ("progressDeadlineSeconds", "number"),
}
_JOB: Final[Message] = {
    1: ("parallelism", "number"),
    2: ("completions", "number"),
    3: ("activeDeadlineSeconds", "number"),
    4: ("selector", _SELECTOR),
    6: ("template", _TEMPLATE),
    7: ("backoffLimit", "number"),
    8: ("ttlSecondsAfterFinished", "number"),
}
_CRON_JOB: Final[Message] = {
    1: ("schedule", "text"),
    3: ("concurrencyPolicy", "text"),
    4: ("suspend", "flag"),
    5: ("jobTemplate", {1: ("metadata", META), 2: ("spec", _JOB)}),
}
_SERVICE: Final[Message] = {
    1: (
        "ports",
        Many(
            {
                1: ("name", "text"),
                2: ("protocol", "text"),
                3: ("port", "number"),
                4: ("targetPort", "either"),
                5: ("nodePort", "unless zero"),
            }
        ),
    ),
    2: ("selector", "map"),
    3: ("clusterIP", "text"),
    4: ("type", "text"),
    10: ("externalName", "text"),
}
_BACKEND: Final[Message] = {
    4: ("service", {1: ("name", "text"), 2: ("port", {1: ("name", "text"), 2: _PORT_NUMBER})}),
}
_INGRESS_PATH: Final[Message] = {
    1: ("path", "text"),
    2: ("backend", _BACKEND),
    3: ("pathType", "text"),
}
_INGRESS: Final[Message] = {
    1: ("defaultBackend", _BACKEND),
    2: ("tls", Many({1: ("hosts", "texts"), 2: ("secretName", "text")})),
    3: (
        "rules",
        Many({1: ("host", "text"), 2: ("", {1: ("http", {1: ("paths", Many(_INGRESS_PATH))})})}),
    ),
    4: ("ingressClassName", "text"),
}
_PRIORITY: Final[Message] = {
    1: ("metadata", META),
    2: ("value", "number"),
    3: ("globalDefault", "if so"),
    4: ("description", "text"),
    5: ("preemptionPolicy", "text"),
}
_OLD_AUTOSCALER: Final[Message] = {
    1: ("scaleTargetRef", {1: ("kind", "text"), 2: ("name", "text"), 3: ("apiVersion", "text")}),
    2: ("minReplicas", "number"),
    3: ("maxReplicas", "number"),
    4: ("targetCPUUtilizationPercentage", "number"),
}
_AUTOSCALER: Final[Message] = {
    1: ("scaleTargetRef", {1: ("kind", "text"), 2: ("name", "text"), 3: ("apiVersion", "text")}),
    2: ("minReplicas", "number"),
    3: ("maxReplicas", "number"),
    4: (
        "metrics",
        Many(
            {
                1: ("type", "text"),
                4: (
                    "resource",
                    {
                        1: ("name", "text"),
                        2: ("target", {1: ("type", "text"), 4: ("averageUtilization", "number")}),
                    },
                ),
            }
        ),
    ),
}
_RULES: Final = Many(
    {
        1: ("verbs", "texts"),
        2: ("apiGroups", "texts"),
        3: ("resources", "texts"),
        4: ("resourceNames", "texts"),
        5: ("nonResourceURLs", "texts"),
    }
)
_ROLE: Final[Message] = {1: ("metadata", META), 2: ("rules", _RULES)}
_BINDING: Final[Message] = {
    1: ("metadata", META),
    2: (
        "subjects",
        Many(
            {
                1: ("kind", "text"),
                2: ("apiGroup", "text"),
                3: ("name", "text"),
                4: ("namespace", "text"),
            }
        ),
    ),
    3: ("roleRef", {1: ("apiGroup", "text"), 2: ("kind", "text"), 3: ("name", "text")}),
}
_BUDGET: Final[Message] = {
    1: ("minAvailable", "either"),
    2: ("selector", _SELECTOR),
    3: ("maxUnavailable", "either"),
}


def _with(spec: Message) -> Message:
    return {1: ("metadata", META), 2: ("spec", spec)}


KINDS: Final[Mapping[str, Message]] = {
    "ClusterRole": _ROLE,
    "ClusterRoleBinding": _BINDING,
    "ConfigMap": {1: ("metadata", META), 2: ("data", "map"), 4: ("immutable", "flag")},
    "CronJob": _with(_CRON_JOB),
    "DeleteOptions": OPTIONS,
    "Deployment": _with(_DEPLOYMENT),
    "Eviction": {1: ("metadata", META), 2: ("deleteOptions", OPTIONS)},
    "HorizontalPodAutoscaler": _with(_AUTOSCALER),
    "autoscaling/v1/HorizontalPodAutoscaler": _with(_OLD_AUTOSCALER),
    "Ingress": _with(_INGRESS),
    "Job": _with(_JOB),
    "Namespace": {1: ("metadata", META)},
    "Pod": _with(_POD),
    "PodDisruptionBudget": _with(_BUDGET),
    "PriorityClass": _PRIORITY,
    "ResourceQuota": _with({1: ("hard", "quantities"), 2: ("scopes", "texts")}),
    "Role": _ROLE,
    "RoleBinding": _BINDING,
    "Secret": {1: ("metadata", META), 2: ("data", "base64"), 3: ("type", "text")},
    "SelfSubjectAccessReview": _with(_ACCESS),
    "SelfSubjectReview": {1: ("metadata", META)},
    "SelfSubjectRulesReview": _with({1: ("namespace", "text")}),
    "Service": _with(_SERVICE),
    "ServiceAccount": {1: ("metadata", META)},
    "SubjectAccessReview": _with({**_ACCESS, 3: ("user", "text"), 4: ("groups", "texts")}),
    "TokenRequest": _with({1: ("audiences", "texts"), 4: ("expirationSeconds", "number")}),
}
