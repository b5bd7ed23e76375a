"""What petops itself may do in the lab: the rights that `manifests/` give it in a cluster.

Who applies those manifests to the lab gets them for that namespace's account as well; the token
`petops` is for those who have not.
"""

from __future__ import annotations

from typing import Final

from petops.lab.store import Json

ACCOUNT: Final[Json] = {"kind": "ServiceAccount", "name": "petops", "namespace": "petops"}


def _rule(group: str, verbs: str, resources: str) -> Json:
    return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}


READS: Final[tuple[Json, ...]] = (
    _rule("", "get list", "nodes pods services"),
    _rule("", "list", "events limitranges resourcequotas"),
    _rule("", "get", "pods/log"),
    _rule("apps", "get list", "daemonsets deployments replicasets statefulsets"),
    _rule("batch", "get list", "jobs"),
    _rule("autoscaling", "get list", "horizontalpodautoscalers"),
    _rule("policy", "list", "poddisruptionbudgets"),
    _rule("networking.k8s.io", "list", "ingresses"),
    _rule("discovery.k8s.io", "list", "endpointslices"),
    _rule("authentication.k8s.io", "create", "tokenreviews"),
    _rule("authorization.k8s.io", "create", "subjectaccessreviews"),
)
REPAIRS: Final[tuple[Json, ...]] = (
    _rule("apps", "patch", "daemonsets deployments statefulsets"),
    _rule("autoscaling", "create delete patch", "horizontalpodautoscalers"),
    _rule("", "patch", "pods/resize"),
    _rule("", "create", "pods/eviction"),
    _rule("", "patch", "nodes"),
)
LEASES: Final[tuple[Json, ...]] = (_rule("coordination.k8s.io", "create get update", "leases"),)
