"""Which series a question is about, in the dialect of each metric. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from petops.mcp_server.question.catalogue import Catalogue, host
from petops.mcp_server.question.dialect import Metric
from petops.mcp_server.question.entities import Entity
from petops.mcp_server.question.promql import (
    Matcher,
    Sampling,
    aggregated,
    named,
    one_of,
    pattern,
    relabelled,
    sampled,
    vector,
)

WORKLOAD = "workload"
_DEPLOYED = "(.+)-[a-z0-9]{6,10}-[a-z0-9]{5}"
_OTHERWISE = ("(.+)-[0-9]+", "(.+)-[a-z0-9]{5}")
_EC2_NAME = re.compile(r"ip-(\d+)-(\d+)-(\d+)-(\d+)(?:\..*)?")
_MOST_ENUMERATED = 500


class UnanswerableError(Exception):
    """A question is understood, and this Prometheus cannot answer it. Stays in the package."""

    def __init__(self, why: str, nearest: Iterable[str] = ()) -> None:
        super().__init__(why)
        self.why = why
        self.nearest = tuple(nearest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a question is about; empty is everything."""

    workloads: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    hpas: tuple[str, ...] = ()

    @classmethod
    def of(cls, entities: Sequence[Entity]) -> Scope:
        """Return the scope of what a question names."""

        def named_as(kind: str) -> tuple[str, ...]:
            return tuple(one.name for one in entities if one.kind == kind)

        return cls(
            workloads=named_as("workload"),
            pods=named_as("pod"),
            containers=named_as("container"),
            namespaces=named_as("namespace"),
            nodes=named_as("node"),
            hpas=named_as("hpa"),
        )

    @property
    def is_narrow(self) -> bool:
        """Whether it names workloads, pods or containers."""
        return bool(self.workloads or self.pods or self.containers)

    def only(self, workload: str) -> Scope:
        """Return the same for one of its workloads."""
        return replace(self, workloads=(workload,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One vector of an expression: a metric, what it must match, what is made of it."""

    metric: Metric
    counter: bool = False
    matchers: tuple[Matcher, ...] = ()
    containers_only: bool = False
    function: str = "sum"
    extra_by: tuple[str, ...] = ()


@dataclass(slots=True)
class Selection:
    """Writes the parts of an expression for one scope."""

    catalogue: Catalogue
    scope: Scope
    notes: list[str] = field(default_factory=list)

    def total(self, part: Part, by: Sequence[str], sampling: Sampling) -> str:
        """Return the part, added up by roles; each of them as a label."""
        if WORKLOAD in by and not self._tells_workload(part.metric):
            return self._by_workload(part, [one for one in by if one != WORKLOAD], sampling)
        labels = [self._label(part.metric, role) for role in by]
        return aggregated(part.function, [*part.extra_by, *labels], self.series(part, sampling))

    def labels(self, metric: Metric, by: Sequence[str]) -> list[str]:
        """Return the labels under which a total of this metric tells the roles."""
        return [
            WORKLOAD
            if role == WORKLOAD and not self._tells_workload(metric)
            else self._label(metric, role)
            for role in by
        ]

    def series(self, part: Part, sampling: Sampling) -> str:
        """Return the part's series, each once."""
        selector = vector(part.metric.name, [*self.matchers(part), *part.matchers])
        inner = sampled(selector, sampling, counter=part.counter)
        doubled = part.metric.doubled
        if doubled:
            self.notes.append(f"{part.metric.name} is scraped twice: each series counts once")
            return f"max without ({', '.join(doubled)}) ({inner})"
        return inner

    def matchers(self, part: Part) -> list[Matcher]:
        """Return the conditions that keep to the scope."""
        metric, scope = part.metric, self.scope
        found: list[Matcher] = []
        for role, names in (("namespace", scope.namespaces), ("node", scope.nodes)):
            if names:
                found.append(self._place(metric, role, names))
        if scope.workloads:
            found.append(self._workloads(metric, scope.workloads))
        if scope.hpas:
            found.append(one_of(self._label(metric, "hpa"), scope.hpas))
        if scope.pods:
            found.append(one_of(self._label(metric, "pod"), scope.pods))
        if scope.containers:
            found.append(one_of(self._label(metric, "container"), scope.containers))
        elif part.containers_only:
            found += self._real_containers(metric)
        return found

    def _tells_workload(self, metric: Metric) -> bool:
        return metric.label("service") is not None or metric.label("deployment") is not None

    def _label(self, metric: Metric, role: str) -> str:
        """Return the label of a role; a service's metric has no other word for a deployment."""
        if role in {WORKLOAD, "service", "deployment"}:
            label = metric.label("service") or metric.label("deployment")
        else:
            own = {"code": metric.code, "method": metric.method}
            label = own[role] if role in own else metric.label(role)
        if label is None:
            raise UnanswerableError(f"{metric.name} does not say which {role} it is about")
        return label

    def _place(self, metric: Metric, role: str, names: Sequence[str]) -> Matcher:
        """Return the condition for namespaces or nodes; by their pods where no label names them."""
        label = metric.label(role)
        if label is not None:
            return self._nodes(metric, label, names) if role == "node" else one_of(label, names)
        pods = [one for one in self.catalogue.pods.values() if getattr(one, role) in names]
        if metric.label("pod") and 0 < len(pods) <= _MOST_ENUMERATED:
            return one_of(self._label(metric, "pod"), (one.name for one in pods))
        if role == "namespace" and metric.label("service"):
            there = {one.workload for one in pods} & self.catalogue.services
            if there:
                return one_of(self._label(metric, "service"), there)
        raise UnanswerableError(f"{metric.name} does not say in which {role} it is")

    def _nodes(self, metric: Metric, label: str, names: Sequence[str]) -> Matcher:
        addresses = {one for name in names for one in self._addresses(name)}
        values = [one for one in metric.labels[label] if host(one) in addresses]
        return one_of(label, values or names)

    def _addresses(self, node: str) -> set[str]:
        """Return under what a node is scraped: its name, its short name, its address."""
        found = {node}
        info = self.catalogue.first("kube_node_info")
        for row in info.rows if info else ():
            if info and info.value(row, "node") == node:
                found |= {row.get("internal_ip", ""), host(row.get("instance", ""))} - {""}
        uname = self.catalogue.first("node_uname_info")
        for row in uname.rows if uname else ():
            if row.get("nodename") == node and row.get("instance"):
                found.add(host(row["instance"]))
        if match := _EC2_NAME.fullmatch(node):
            found.add(".".join(match.groups()))
        return found

    def _workloads(self, metric: Metric, names: Sequence[str]) -> Matcher:
        label = metric.label("service") or metric.label("deployment") or metric.label("hpa")
        if label is not None and set(names) <= metric.labels[label]:
            return one_of(label, names)
        if metric.label("pod") is not None and not self._foreign(metric, names):
            return self._pods_of(self._label(metric, "pod"), names)
        if label is not None:
            lacking = ", ".join(name for name in names if name not in metric.labels[label])
            some = sorted(metric.labels[label] - {""})[:5]
            raise UnanswerableError(f"{metric.name} has no series for {lacking}", some)
        raise UnanswerableError(f"{metric.name} does not say which workload it is about")

    def _foreign(self, metric: Metric, names: Sequence[str]) -> bool:
        """Say whether a metric of services has none of the pods."""
        if metric.label("service") is None:
            return False
        pods = metric.labels[self._label(metric, "pod")]
        return not any(
            pod in pods for name in names for pod in self.catalogue.pods_of.get(name, ())
        )

    def _pods_of(self, label: str, names: Sequence[str]) -> Matcher:
        """Return the condition for all pods of workloads, also those of before and to come."""
        stems: list[str] = []
        for name in names:
            wanted = set(self.catalogue.pods_of.get(name, ()))
            stem = pattern(name)
            for tail in ("-.*", "-[a-z0-9]+-[a-z0-9]{5}", "-[0-9]+", "-[a-z0-9]{5}"):
                if not wanted or self._selected(f"{stem}{tail}", name) == wanted:
                    stems.append(f"{stem}{tail}")
                    break
            else:
                stems += [pattern(pod) for pod in sorted(wanted)]
        return Matcher(label, "=~", "|".join(stems))

    def _selected(self, text: str, stem: str) -> set[str]:
        """Return the pods that a pattern beginning with a stem matches."""
        names, wanted = self.catalogue.sorted_pods, re.compile(text)
        found: set[str] = set()
        for at in range(bisect_left(names, stem), len(names)):
            if not names[at].startswith(stem):
                break
            if wanted.fullmatch(names[at]):
                found.add(names[at])
        return found

    def _real_containers(self, metric: Metric) -> list[Matcher]:
        """Leave out the pod's own cgroup and the container that only holds its network."""
        label = metric.label("container")
        if label is None:
            return []
        found = [Matcher(label, "!=", "")]
        if "POD" in metric.labels[label]:
            found.append(Matcher(label, "!=", "POD"))
        return found

    def _by_workload(self, part: Part, others: Sequence[str], sampling: Sampling) -> str:
        """Return totals by workload for a metric that only names pods."""
        labels = [self._label(part.metric, role) for role in others]
        if self.scope.workloads:
            every = []
            for workload in self.scope.workloads:
                one = Selection(self.catalogue, self.scope.only(workload), self.notes)
                inner = aggregated(part.function, labels, one.series(part, sampling))
                every.append(named(inner, WORKLOAD, workload))
            return " or ".join(every)
        pod = self._label(part.metric, "pod")
        inner = relabelled(self.series(part, sampling), WORKLOAD, pod)
        for form in (*reversed(_OTHERWISE), _DEPLOYED):
            if form == _DEPLOYED or self._has_pods_like(form):
                inner = relabelled(inner, WORKLOAD, pod, form)
        return aggregated(part.function, [*labels, WORKLOAD], inner)

    def _has_pods_like(self, form: str) -> bool:
        """Say whether pods are called so that a Deployment's pattern does not name their owner."""
        wanted, deployed = re.compile(form), re.compile(_DEPLOYED)
        for pod in self.catalogue.pods.values():
            match = wanted.fullmatch(pod.name)
            if match and match[1] == pod.workload and not deployed.fullmatch(pod.name):
                return True
        return False
