"""Which object an alarm is about: what its dimensions or labels name, else what a rule says.

The alarm's text never decides. Where nothing names an object, the answer is why not.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from petops.domain.subject import ClusterName, Kind, Subject
from petops.errors import UsageError

Labels = Mapping[str, str]

NOWHERE: Final = ClusterName(name="")
"""A cluster that nothing is known of; it can be any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingRule:
    """Alarms whose name fits the glob and which have these labels are about this object."""

    kind: Kind
    name: str
    namespace: str = ""
    alarm: str = "*"
    labels: tuple[tuple[str, str], ...] = ()

    def fits(self, alarm: str, labels: Labels) -> bool:
        """Say whether the rule speaks of an alarm of this name with these labels."""
        return fnmatch.fnmatchcase(alarm, self.alarm) and all(
            labels.get(key) == value for key, value in self.labels
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmMapping:
    """How alarms are mapped here: `here` is the cluster that is meant where an alarm names none."""

    here: ClusterName = NOWHERE
    rules: tuple[MappingRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """The object, or why there is none."""

    subject: Subject | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What an alarm's dimensions or labels name, before Kubernetes' rules for names are applied."""

    kind: Kind
    name: str
    namespace: str


def mapped(
    alarm: str, named: Named | str, labels: Labels, cluster: ClusterName, mapping: AlarmMapping
) -> Mapped:
    """Return the object that is named, else the first fitting rule's, else why neither is there."""
    why = named if isinstance(named, str) else ""
    if isinstance(named, Named):
        subject = _subject(named, cluster)
        if isinstance(subject, Subject):
            return Mapped(subject=subject)
        why = subject
    for rule in mapping.rules:
        if rule.fits(alarm, labels):
            ruled = Named(kind=rule.kind, name=rule.name, namespace=rule.namespace)
            subject = _subject(ruled, cluster)
            if isinstance(subject, Subject):
                return Mapped(subject=subject)
            return Mapped(subject=None, why=f"the mapping rule for {rule.alarm!r}: {subject}")
    return Mapped(subject=None, why=f"{why}, and no mapping rule fits")


def _subject(named: Named, cluster: ClusterName) -> Subject | str:
    namespace = "" if named.kind is Kind.NODE else named.namespace
    if not namespace and named.kind is not Kind.NODE:
        return f"it names the {named.kind} {named.name[:80]} without a namespace"
    try:
        return Subject(cluster=cluster, kind=named.kind, name=named.name, namespace=namespace)
    except UsageError as exc:
        return exc.message


_NOT_ALNUM: Final = re.compile(r"[^a-z0-9]")
# Kubernetes makes names' random ends from these letters only, so that they form no words.
_RANDOM: Final = "[bcdfghjklmnpqrstvwxz2456789]"
_POD_NAME: Final = re.compile(f".+-{_RANDOM}{{6,10}}-{_RANDOM}{{5}}")
_ENVIRONMENT: Final = re.compile(r"eks:([^/]+)/([^/]+)")


def by_dimensions(dimensions: Labels, metric_namespace: str) -> Named | str:
    """Return what CloudWatch's dimensions name, as Container Insights and Application Signals do.

    Container Insights calls a workload's pods by the workload's name, and does not say its kind.
    """
    said = {_NOT_ALNUM.sub("", key.lower()): value for key, value in dimensions.items() if value}
    namespace = said.get("namespace", said.get("k8snamespace", ""))
    environment = _ENVIRONMENT.fullmatch(said.get("environment", ""))
    if metric_namespace == "ApplicationSignals" and environment and "service" in said:
        return Named(kind=Kind.DEPLOYMENT, name=said["service"], namespace=environment[2])
    pod = said.get("podname", "")
    named = (
        (Kind.POD, said.get("fullpodname")),
        (Kind.DEPLOYMENT, said.get("deployment") or said.get("deploymentname")),
        (Kind.STATEFUL_SET, said.get("statefulset")),
        (Kind.DAEMON_SET, said.get("daemonset")),
        (Kind.POD if _POD_NAME.fullmatch(pod) else Kind.DEPLOYMENT, pod),
        (Kind.POD, said.get("pod")),
        (Kind.SERVICE, said.get("service") if "clustername" in said else None),
        (Kind.NODE, said.get("nodename") or said.get("node")),
        (Kind.NODE, said.get("instanceid") if "clustername" in said else None),
    )
    return _first(named, namespace) or _nothing(dimensions, "dimensions")


EXPORTERS: Final = frozenset({"kube-state-metrics", "node-exporter", "prometheus-node-exporter"})
"""Containers whose series carry labels of their own beside those of what they tell of."""

_CLAIM: Final = "persistentvolumeclaim"
_SCALER: Final = "horizontalpodautoscaler"
_WORKLOADS: Final[Mapping[str, Kind]] = {
    "deployment": Kind.DEPLOYMENT,
    "statefulset": Kind.STATEFUL_SET,
    "daemonset": Kind.DAEMON_SET,
    "job_name": Kind.JOB,
    "replicaset": Kind.REPLICA_SET,
}


def by_labels(labels: Labels) -> Named | str:
    """Return what an alert's labels name, as kube-state-metrics and the Prometheus operator do.

    On an exporter's series `pod`, `service` and `container` may be those of the exporter itself.
    `job` is Prometheus' scrape job, never a Kubernetes Job.
    """
    said = {key: value for key, value in labels.items() if value}
    if said.get("container") in EXPORTERS:
        said["pod"] = said["service"] = ""
    for key in ("namespace", "pod", "service", "node", _CLAIM, _SCALER, *_WORKLOADS):
        said[key] = said.get(f"exported_{key}") or said.get(key, "")
    kind_of_workload = said.get("workload_type", "").lower()
    named = (
        (Kind.VOLUME_CLAIM, said[_CLAIM]),
        *((kind, said[key]) for key, kind in _WORKLOADS.items()),
        (_WORKLOADS.get(kind_of_workload, Kind.DEPLOYMENT), said.get("workload")),
        (Kind.AUTOSCALER, said[_SCALER]),
        (Kind.POD, said["pod"]),
        (Kind.SERVICE, said["service"]),
        (Kind.NODE, said["node"] or said.get("nodename") or said.get("kubernetes_node")),
    )
    return _first(named, said["namespace"]) or _nothing(labels, "labels")


def _first(named: tuple[tuple[Kind, str | None], ...], namespace: str) -> Named | None:
    return next(
        (Named(kind=kind, name=name, namespace=namespace) for kind, name in named if name), None
    )


def _nothing(labels: Labels, what: str) -> str:
    names = ", ".join(sorted(labels)[:12])
    return f"its {what} ({names}) name no object" if names else f"it has no {what}"


def cluster_of(labels: Labels, here: ClusterName) -> ClusterName:
    """Return the cluster that dimensions or labels name; `here` fills in what they leave out."""
    said = {_NOT_ALNUM.sub("", key.lower()): value for key, value in labels.items() if value}
    environment = _ENVIRONMENT.fullmatch(said.get("environment", ""))
    name = next(
        (said[key] for key in ("clustername", "cluster", "eksclustername") if key in said),
        environment[1] if environment else "",
    )
    named = ClusterName(
        name=name.rpartition("/")[2] if name.startswith("arn:") else name,
        account=said.get("accountid") or said.get("awsaccountid") or "",
        region=said.get("region") or said.get("awsregion") or "",
    )
    return filled(named, here)


def filled(named: ClusterName, here: ClusterName) -> ClusterName:
    """Return `named` with its gaps filled from `here`, unless that is another cluster."""
    if not named.is_same_as(here):
        return named
    return ClusterName(
        name=named.name or here.name,
        account=named.account or here.account,
        region=named.region or here.region,
    )
