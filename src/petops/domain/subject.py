"""What an alarm, a diagnosis and a change are about: an object in one cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from petops.errors import UsageError

# RFC 1123 subdomain, the widest form that Kubernetes gives to the names used here.
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class Kind(StrEnum):
    """Kinds of object that petops speaks about."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    REPLICA_SET = "ReplicaSet"
    JOB = "Job"
    POD = "Pod"
    SERVICE = "Service"
    NODE = "Node"
    AUTOSCALER = "HorizontalPodAutoscaler"
    VOLUME_CLAIM = "PersistentVolumeClaim"


HAS_REPLICAS: Final = frozenset({Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET})
"""The kinds that keep a number of pods running: what is lost comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterName:
    """Which cluster, where. Account and region are empty where the source does not know them."""

    name: str
    account: str = ""
    region: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.account, self.region, self.name) if part)

    def is_same_as(self, other: ClusterName) -> bool:
        """Say whether both can be one cluster: what either leaves empty does not count."""
        pairs = (
            (self.name, other.name),
            (self.account, other.account),
            (self.region, other.region),
        )
        return all(a == b for a, b in pairs if a and b)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One object of one cluster. Only names that Kubernetes admits can be made."""

    cluster: ClusterName
    kind: Kind
    name: str
    namespace: str = ""

    def __post_init__(self) -> None:
        for text in (self.name, self.namespace or "none"):
            if not _NAME.fullmatch(text):
                raise UsageError(f"{text[:80]!r} is not a name that Kubernetes admits")
        if bool(self.namespace) == (self.kind is Kind.NODE):
            raise UsageError(
                f"a {self.kind} stands {'in no' if self.namespace else 'in a'} namespace"
            )

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"
