"""Which resources the lab's Kubernetes API serves, and under which names."""

from __future__ import annotations

from functools import cache
from typing import Final

from petops.lab.resource_rows import CREATED_ONLY, MORE, Resource

_ALL: Final = ("all",)

SERVED: Final[tuple[Resource, ...]] = (
    Resource(plural="configmaps", kind="ConfigMap", short=("cm",)),
    Resource(plural="endpoints", kind="Endpoints", short=("ep",)),
    Resource(plural="events", kind="Event", short=("ev",)),
    Resource(plural="limitranges", kind="LimitRange", short=("limits",)),
    Resource(
        plural="namespaces",
        kind="Namespace",
        namespaced=False,
        short=("ns",),
        subresources=("status",),
    ),
    Resource(
        plural="nodes",
        kind="Node",
        namespaced=False,
        short=("no",),
        subresources=("status",),
    ),
    Resource(
        plural="persistentvolumeclaims",
        kind="PersistentVolumeClaim",
        short=("pvc",),
        subresources=("status",),
    ),
    Resource(
        plural="pods",
        kind="Pod",
        short=("po",),
        categories=_ALL,
        subresources=("attach", "eviction", "exec", "log", "portforward", "resize", "status"),
    ),
    Resource(
        plural="resourcequotas", kind="ResourceQuota", short=("quota",), subresources=("status",)
    ),
    Resource(plural="secrets", kind="Secret"),
    Resource(
        plural="serviceaccounts", kind="ServiceAccount", short=("sa",), subresources=("token",)
    ),
    Resource(
        plural="services",
        kind="Service",
        short=("svc",),
        categories=_ALL,
        subresources=("status",),
    ),
    Resource(plural="controllerrevisions", kind="ControllerRevision", group="apps"),
    Resource(
        plural="daemonsets",
        kind="DaemonSet",
        group="apps",
        short=("ds",),
        categories=_ALL,
        subresources=("status",),
    ),
    Resource(
        plural="deployments",
        kind="Deployment",
        group="apps",
        short=("deploy",),
        categories=_ALL,
        subresources=("scale", "status"),
    ),
    Resource(
        plural="replicasets",
        kind="ReplicaSet",
        group="apps",
        short=("rs",),
        categories=_ALL,
        subresources=("scale", "status"),
    ),
    Resource(
        plural="statefulsets",
        kind="StatefulSet",
        group="apps",
        short=("sts",),
        categories=_ALL,
        subresources=("scale", "status"),
    ),
    Resource(plural="events", kind="Event", group="events.k8s.io", short=("ev",), preferred=False),
    Resource(
        plural="horizontalpodautoscalers",
        kind="HorizontalPodAutoscaler",
        group="autoscaling",
        version="v2",
        short=("hpa",),
        categories=_ALL,
        subresources=("status",),
    ),
    Resource(
        plural="horizontalpodautoscalers",
        kind="HorizontalPodAutoscaler",
        group="autoscaling",
        short=("hpa",),
        categories=_ALL,
        subresources=("status",),
        preferred=False,
    ),
    Resource(
        plural="cronjobs",
        kind="CronJob",
        group="batch",
        short=("cj",),
        categories=_ALL,
        subresources=("status",),
    ),
    Resource(plural="jobs", kind="Job", group="batch", categories=_ALL, subresources=("status",)),
    Resource(plural="leases", kind="Lease", group="coordination.k8s.io"),
    Resource(plural="endpointslices", kind="EndpointSlice", group="discovery.k8s.io"),
    Resource(
        plural="prometheusrules",
        kind="PrometheusRule",
        group="monitoring.coreos.com",
        short=("promrule",),
    ),
    Resource(
        plural="servicemonitors",
        kind="ServiceMonitor",
        group="monitoring.coreos.com",
        short=("smon",),
    ),
    Resource(
        plural="networkpolicies",
        kind="NetworkPolicy",
        group="networking.k8s.io",
        short=("netpol",),
    ),
    Resource(
        plural="poddisruptionbudgets",
        kind="PodDisruptionBudget",
        group="policy",
        short=("pdb",),
        subresources=("status",),
    ),
    Resource(plural="roles", kind="Role", group="rbac.authorization.k8s.io"),
    Resource(plural="rolebindings", kind="RoleBinding", group="rbac.authorization.k8s.io"),
    Resource(
        plural="clusterroles",
        kind="ClusterRole",
        group="rbac.authorization.k8s.io",
        namespaced=False,
    ),
    Resource(
        plural="clusterrolebindings",
        kind="ClusterRoleBinding",
        group="rbac.authorization.k8s.io",
        namespaced=False,
    ),
    Resource(
        plural="nodes",
        kind="NodeMetrics",
        group="metrics.k8s.io",
        version="v1beta1",
        namespaced=False,
        verbs=("get", "list"),
        preferred=False,
    ),
    Resource(
        plural="pods",
        kind="PodMetrics",
        group="metrics.k8s.io",
        version="v1beta1",
        verbs=("get", "list"),
        preferred=False,
    ),
    Resource(
        plural="selfsubjectreviews",
        kind="SelfSubjectReview",
        group="authentication.k8s.io",
        namespaced=False,
        verbs=CREATED_ONLY,
    ),
    Resource(
        plural="tokenreviews",
        kind="TokenReview",
        group="authentication.k8s.io",
        namespaced=False,
        verbs=CREATED_ONLY,
    ),
    Resource(
        plural="selfsubjectaccessreviews",
        kind="SelfSubjectAccessReview",
        group="authorization.k8s.io",
        namespaced=False,
        verbs=CREATED_ONLY,
    ),
    Resource(
        plural="selfsubjectrulesreviews",
        kind="SelfSubjectRulesReview",
        group="authorization.k8s.io",
        namespaced=False,
        verbs=CREATED_ONLY,
    ),
    Resource(
        plural="subjectaccessreviews",
        kind="SubjectAccessReview",
        group="authorization.k8s.io",
        namespaced=False,
        verbs=CREATED_ONLY,
    ),
    *MORE,
)

SUBRESOURCE_KINDS: Final = {
    "attach": ("", "v1", "PodAttachOptions", ("create", "get")),
    "exec": ("", "v1", "PodExecOptions", ("create", "get")),
    "portforward": ("", "v1", "PodPortForwardOptions", ("create", "get")),
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "scale": ("autoscaling", "v1", "Scale", ("get", "patch", "update")),
    "token": ("authentication.k8s.io", "v1", "TokenRequest", ("create",)),
}
"""Group, version, kind and verbs where a subresource has others than its resource."""


def served(group: str, version: str, plural: str) -> Resource | None:
    """Return the resource under this path, or None."""
    return next(
        (one for one in SERVED if (one.group, one.version, one.plural) == (group, version, plural)),
        None,
    )


def of_kind(api_version: str, kind: str) -> Resource | None:
    """Return the resource that an object's `apiVersion` and `kind` name, or None."""
    return next((one for one in SERVED if (one.api_version, one.kind) == (api_version, kind)), None)


@cache
def stored(plural: str) -> Resource:
    """Return the preferred resource of a name that the store knows."""
    return next(one for one in SERVED if one.plural == plural and one.preferred)


def groups() -> tuple[tuple[str, str], ...]:
    """Return each group and version once, in order; the core's group is empty."""
    return tuple(dict.fromkeys((one.group, one.version) for one in SERVED))


def of_group(group: str, version: str) -> tuple[Resource, ...]:
    """Return the resources of one group and version."""
    return tuple(one for one in SERVED if (one.group, one.version) == (group, version))
