"""What ails where an alarm points that names no object: the objects that may be meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from petops.domain.alarm_mapping import EXPORTERS
from petops.domain.subject import Subject

_BALANCERS: Final = ("LoadBalancer", "LoadBalancerName")
_TARGETS: Final = "TargetGroup"
_NAMESPACES: Final = ("exported_namespace", "k8s_namespace_name", "namespace", "Namespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """A load balancer by its own name and its target group's; either may be empty."""

    name: str = ""
    targets: str = ""

    def __str__(self) -> str:
        return f"load balancer {self.name}" if self.name else f"target group {self.targets}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ailing:
    """An object that may be meant, and what is seen of it."""

    subject: Subject
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where the alarm points in words, and what ails there, the worst first.

    `why` says why nothing was found.
    """

    area: str
    found: tuple[Ailing, ...]
    why: str = ""


def balancer_of(labels: Mapping[str, str]) -> Balancer | None:
    """Return the load balancer that CloudWatch's dimensions name, None where they name none.

    An application's is `app/NAME/ID` there, a network's `net/NAME/ID`, a classic one's `NAME`; a
    target group is `targetgroup/NAME/ID`.
    """
    value = next((labels[key] for key in _BALANCERS if labels.get(key)), "")
    targets = labels.get(_TARGETS, "")
    found = Balancer(name=_middle(value), targets=_middle(targets))
    return found if found.name or found.targets else None


def namespace_of(labels: Mapping[str, str]) -> str:
    """Return the namespace that dimensions or labels name, empty for none.

    On an exporter's series `namespace` is the exporter's own.
    """
    if labels.get("container") in EXPORTERS:
        return labels.get("exported_namespace", "")
    return next((labels[key] for key in _NAMESPACES if labels.get(key)), "")


def _middle(path: str) -> str:
    parts = path.split("/")
    return parts[1] if len(parts) > 1 else parts[0]
