"""What one Prometheus holds: metrics, their dialects, and the names in them. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from petops.mcp_server.question.dialect import Metric, Row
from petops.mcp_server.question.words import Spelling

KINDS: Final = ("service", "deployment", "pod", "container", "node", "namespace", "hpa")
# How the pods of a Deployment, a StatefulSet and of a DaemonSet or Job are called.
_OWNED: Final = (
    re.compile(r"(.+)-[a-z0-9]{5,10}-[a-z0-9]{5}"),
    re.compile(r"(.+)-\d{1,4}"),
    re.compile(r"(.+)-[a-z0-9]{5}"),
)
_PORT = re.compile(r":\d+$")
_HASH = re.compile(r"(?=[a-z0-9]*\d)[a-z0-9]{5,10}|[bcdfghjklmnpqrstvwxz2456789]{5,10}")


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, with what its series say of it."""

    name: str
    namespace: str
    node: str
    workload: str


@dataclass
class Catalogue:
    """The names of metrics, and for those that are understood their series' identities."""

    names: frozenset[str]
    metrics: Mapping[str, Metric]
    past: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        names: Iterable[str],
        rows: Mapping[str, Sequence[Row]],
        past: Mapping[str, Iterable[str]] | None = None,
    ) -> Catalogue:
        """Return the catalogue of series; `past` has names that only older series have."""
        metrics = {name: Metric(name, tuple(found)) for name, found in rows.items() if found}
        known = {kind: frozenset(values) for kind, values in (past or {}).items()}
        return cls(frozenset(names), metrics, known)

    def first(self, *names: str) -> Metric | None:
        """Return the first of these metrics that has series."""
        return next((self.metrics[name] for name in names if name in self.metrics), None)

    def matching(self, pattern: str) -> tuple[Metric, ...]:
        """Return the metrics whose whole name matches, those with most series first."""
        wanted = re.compile(pattern)
        found = [one for name, one in self.metrics.items() if wanted.fullmatch(name)]
        return tuple(sorted(found, key=lambda one: (-len(one.rows), one.name)))

    @cached_property
    def pods(self) -> Mapping[str, Pod]:
        """Pods by name."""
        found: dict[str, dict[str, str]] = {}
        for metric in self.metrics.values():
            if metric.label("pod") is None or metric.label("hpa"):
                continue
            for row in metric.rows:
                pod = metric.value(row, "pod")
                if pod:
                    known = found.setdefault(pod, {})
                    for role in ("namespace", "node"):
                        known.setdefault(role, "")
                        known[role] = known[role] or metric.value(row, role)
        return {
            name: Pod(name, known["namespace"], known["node"], owner(name, self.declared))
            for name, known in found.items()
        }

    @cached_property
    def sorted_pods(self) -> Sequence[str]:
        """Names of pods in order."""
        return sorted(self.pods)

    @cached_property
    def declared(self) -> frozenset[str]:
        """Names of workloads that some series says outright."""
        return frozenset(self._values("deployment") | self._values("service"))

    @cached_property
    def pods_of(self) -> Mapping[str, tuple[str, ...]]:
        """Pods by workload: by the labels that name both, else by how pods are called."""
        found: dict[str, set[str]] = defaultdict(set)
        for pod in self.pods.values():
            if pod.workload:
                found[pod.workload].add(pod.name)
        for metric in self.metrics.values():
            if metric.label("service") is None or metric.label("pod") is None:
                continue
            for row in metric.rows:
                service, pod_name = metric.value(row, "service"), metric.value(row, "pod")
                if service and pod_name and service not in found:
                    found[f"\0{service}"].add(pod_name)
        for key in [key for key in found if key.startswith("\0")]:
            found[key[1:]] = found.pop(key)
        return {name: tuple(sorted(pods)) for name, pods in found.items()}

    @cached_property
    def by_kind(self) -> Mapping[str, frozenset[str]]:
        """Every name that is there, by kind."""
        nodes = {host(name) for name in self._values("node")}
        info = self.first("kube_node_info")
        if info is not None:  # an address is no second node
            nodes -= {row.get("internal_ip", "") for row in info.rows}
        workloads = set(self.pods_of) | self.declared
        return {
            "service": frozenset(workloads),
            "deployment": frozenset(workloads),
            "pod": frozenset(self.pods),
            "container": frozenset(self._values("container") - {"POD"}),
            "node": frozenset(nodes),
            "namespace": frozenset(self._values("namespace")),
            "hpa": frozenset(self._values("hpa")),
        }

    @cached_property
    def ordered(self) -> Mapping[str, Sequence[str]]:
        """The names of each kind in order."""
        return {kind: sorted(names) for kind, names in self.by_kind.items()}

    @cached_property
    def services(self) -> frozenset[str]:
        """Services that tell of their own requests."""
        return frozenset(self._values("service"))

    @cached_property
    def kinds_of(self) -> Mapping[str, frozenset[str]]:
        """The kinds under which a name, in lower case, is known; names of the past come last."""
        found: dict[str, set[str]] = defaultdict(set)
        for kind, names in self.by_kind.items():
            for name in names:
                found[name.lower()].add(kind)
        for kind, names in self.past.items():
            for name in names:
                key = (host(name) if kind == "node" else name).lower()
                if key not in found:
                    found[key].add(kind)
        return {name: frozenset(kinds) for name, kinds in found.items()}

    @cached_property
    def written(self) -> Mapping[str, str]:
        """How a name is written, by its lower case."""
        every = [*self.by_kind.values(), *self.past.values()]
        return {name.lower(): name for names in every for name in names}

    @cached_property
    def squashed(self) -> Mapping[str, str]:
        """Names of workloads, namespaces and containers by their letters and digits alone."""
        return {squash(name): name for name in self.short_names}

    @cached_property
    def short_names(self) -> tuple[str, ...]:
        """Names that people call things by, in lower case: without pods."""
        kinds = ("service", "namespace", "container", "hpa", "node")
        return tuple(sorted({one.lower() for kind in kinds for one in self.by_kind[kind]}))

    @cached_property
    def by_start(self) -> Mapping[str, tuple[str, ...]]:
        """Short names by each of their beginnings that ends where a part ends."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in self.short_names:
            for cut in re.finditer(r"[-._]", name):
                found[name[: cut.start()]].append(name)
        return {start: tuple(names) for start, names in found.items()}

    @cached_property
    def by_part(self) -> Mapping[str, tuple[str, ...]]:
        """Short names without a node's by their later parts, alone and to the end."""
        found: dict[str, set[str]] = defaultdict(set)
        nodes = self.by_kind["node"]
        for name in self.short_names:
            if name in nodes:
                continue
            for cut in re.finditer(r"[-._]", name):
                found[name[cut.end() :]].add(name)
            for part in re.split(r"[-._]", name)[1:]:
                found[part].add(name)
        return {part: tuple(sorted(names)) for part, names in found.items()}

    @cached_property
    def everything(self) -> str:
        """The short names in one text, to be searched at once."""
        return "\n".join(("", *self.short_names, ""))

    @cached_property
    def spelling(self) -> Spelling:
        """Finds names that are misspelt: whole ones, and their beginnings."""
        nodes = self.by_kind["node"]
        return Spelling({one for one in (*self.short_names, *self.by_start) if one not in nodes})

    def warm(self) -> Catalogue:
        """Build the indexes now, so that no question has to wait for them."""
        for index in (
            self.ordered,
            self.kinds_of,
            self.written,
            self.squashed,
            self.by_start,
            self.by_part,
        ):
            len(index)
        _ = self.everything, self.services, self.sorted_pods, self.spelling.near("warming")
        for metric in self.metrics.values():
            _ = metric.doubled, metric.code
        return self

    def _values(self, role: str) -> set[str]:
        found: set[str] = set()
        for metric in self.metrics.values():
            label = metric.label(role)
            if label:
                found |= metric.labels[label]
        return found - {""}


def owner(pod: str, declared: frozenset[str]) -> str:
    """Return the workload that a pod is of: a declared one where the name allows, else its stem."""
    found = [(pattern, match) for pattern in _OWNED if (match := pattern.fullmatch(pod))]
    for _, match in found:
        if match[1] in declared:
            return match[1]
    for pattern, match in found:
        tail = pod[match.end(1) + 1 :].split("-")
        if pattern is _OWNED[1] or all(_HASH.fullmatch(part) for part in tail):
            return match[1]
    return pod


def host(name: str) -> str:
    """Return a node's name without the port of who scraped it."""
    return _PORT.sub("", name)


def squash(name: str) -> str:
    """Return the letters and digits of a name, in lower case."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
