"""Which label plays which role on a metric: `pod` here, `kubernetes_pod_name` there. Pure.

Rule: found from the labels that the series have, in the order in which they are to be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

# `exported_` first: where it stands, the plain label is the exporter's own.
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "pod": (
        "exported_pod", "pod", "kubernetes_pod_name", "pod_name", "k8s_pod_name", "kubernetes_pod",
    ),
    "namespace": (
        "exported_namespace", "namespace", "kubernetes_namespace", "kubernetes_namespace_name",
        "pod_namespace", "namespace_name", "k8s_namespace_name", "kube_namespace",
    ),
    "container": (
        "exported_container", "container", "container_name", "kubernetes_container_name",
        "k8s_container_name",
    ),
    "node": (
        "exported_node", "node", "kubernetes_node", "kubernetes_node_name", "node_name", "nodename",
        "k8s_node_name", "host", "hostname", "kubernetes_io_hostname", "instance",
    ),
    "service": (
        "exported_service", "service", "service_name", "app", "app_kubernetes_io_name",
        "kubernetes_service_name", "kubernetes_name", "destination_service_name",
        "destination_workload", "workload", "k8s_app", "application", "deployment",
        "exported_job", "job",
    ),
    "deployment": (
        "exported_deployment", "deployment", "statefulset", "daemonset", "workload",
        "kubernetes_deployment_name",
    ),
    "hpa": ("horizontalpodautoscaler", "hpa"),
}  # fmt: skip
SCRAPE: Final = (
    "job", "instance", "endpoint", "metrics_path", "prometheus", "prometheus_replica", "replica",
    "scrape_job", "source", "image", "id", "name",
)  # fmt: skip
KINDS: Final = (
    "code", "status_code", "status", "http_status", "http_code", "response_code",
    "http_response_status_code", "outcome", "phase", "condition", "resource", "unit", "mode",
    "reason", "quantile", "cpu", "device", "internal_ip",
)  # fmt: skip
METHODS: Final = ("method", "http_method", "request_method", "http_request_method", "verb")
ASKED: Final = tuple(
    dict.fromkeys(
        [*(name for names in ROLES.values() for name in names), *SCRAPE, *KINDS, *METHODS]
    )
)
CODES: Final = KINDS[:7]
_STATUS = re.compile(r"[1-5](?:\d\d|xx)")
# What cAdvisor and kube-state-metrics call service, app or job is who was scraped.
_OF_APPLICATIONS = re.compile(r"^(?!container_|kube_|node_|machine_|kubelet_)")

Row = Mapping[str, str]


@dataclass(slots=True)
class Metric:
    """One metric, by the distinct label sets of its series (without what only counts inside)."""

    name: str
    rows: Sequence[Row]
    _labels: dict[str, set[str]] = field(default_factory=dict)
    _roles: dict[str, str | None] = field(default_factory=dict)
    _doubled: tuple[str, ...] | None = None

    @property
    def labels(self) -> Mapping[str, set[str]]:
        """Label names with the values that they have; empty ones count where others are set."""
        if not self._labels:
            found: dict[str, set[str]] = {}
            for row in self.rows:
                for name, value in row.items():
                    found.setdefault(name, set()).add(value)
            for name, values in found.items():
                if any(name not in row for row in self.rows):
                    values.add("")
            self._labels = found
        return self._labels

    def label(self, role: str) -> str | None:
        """Return the label that plays a role, if any does."""
        if role not in self._roles:
            self._roles[role] = self._find(role)
        return self._roles[role]

    def value(self, row: Row, role: str) -> str:
        """Return what a series says of a role; nothing where it says nothing."""
        label = self.label(role)
        return row.get(label, "") if label else ""

    @property
    def code(self) -> str | None:
        """The label with an HTTP status."""
        for label in CODES:
            values = self.labels.get(label, set()) - {""}
            if values and all(_STATUS.fullmatch(value) for value in values):
                return label
        return None

    @property
    def method(self) -> str | None:
        """The label with the HTTP method."""
        return next((one for one in METHODS if self.labels.get(one, set()) - {""}), None)

    @property
    def doubled(self) -> tuple[str, ...]:
        """Labels that tell apart only who scraped: series alike in the rest are one, twice."""
        if self._doubled is None:
            self._doubled = self._find_doubled()
        return self._doubled

    def _find(self, role: str) -> str | None:
        if role == "service" and not _OF_APPLICATIONS.search(self.name):
            return None
        present = [label for label in ROLES[role] if self.labels.get(label, set()) - {""}]
        if role == "node" and not self.name.startswith(
            ("node_", "kube_node", "kubelet", "machine")
        ):
            present = [label for label in present if label != "instance"]
        if role != "service" or len(present) < 2:
            return present[0] if present else None
        # One that tells no two series apart (job="kubernetes-pods") names no service.
        telling = [label for label in present if len(self.labels[label] - {""}) > 1]
        whole = [label for label in telling if "" not in self.labels[label]]
        return (whole or telling or present)[0]

    def _find_doubled(self) -> tuple[str, ...]:
        if not self.label("pod") and not self.name.startswith("kube_"):
            return ()
        identity = {self.label(role) for role in ROLES}
        others = (name for names in ROLES.values() for name in names)
        apart = dict.fromkeys([*SCRAPE, *others])  # an exporter's own pod, where another is told of
        scrape = [name for name in apart if name in self.labels and name not in identity]
        kept = [name for name in self.labels if name not in scrape]
        groups: dict[tuple[str, ...], list[Row]] = {}
        for row in self.rows:
            groups.setdefault(tuple(row.get(name, "") for name in kept), []).append(row)
        varying = {
            name
            for rows in groups.values()
            if len(rows) > 1
            for name in scrape
            if len({row.get(name, "") for row in rows}) > 1
        }
        return tuple(name for name in scrape if name in varying)
