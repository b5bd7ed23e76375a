"""A trace as X-Ray sees it: one part a service that took part, also those without segments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from petops.domain.subject import ClusterName
from petops.lab.call_paths import GENERATOR, Dependency
from petops.lab.runs import Run
from petops.lab.spans import Outgoing, Span, Trace

CONTAINER: Final = "AWS::EKS::Container"
CLIENT: Final = "client"
REMOTE: Final = "remote"
USER_AGENT: Final = "traffic-generator/1.3.1"
_NAMESPACED_HOST: Final = "http://{service}.{namespace}.svc.cluster.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A node as EC2 knows it."""

    instance: str
    zone: str


class Surroundings:
    """What segments say that no request knows: the cluster, and the machines of its nodes."""

    def __init__(self, cluster: ClusterName, nodes: Iterable[Mapping[str, Any]]) -> None:
        self.cluster = cluster
        self._machines: dict[str, Machine] = {}
        for node in nodes:
            placed, _, instance = str(node.get("spec", {}).get("providerID", "")).rpartition("/")
            zone = placed.rpartition("/")[2]
            self._machines[node["metadata"]["name"]] = Machine(instance=instance, zone=zone)

    def machine(self, node: str) -> Machine:
        """Return a node's machine; one that is gone has no name."""
        return self._machines.get(node, Machine(instance="", zone=""))

    def url(self, span: Span) -> str:
        """Return the address that a request was sent to."""
        host = _NAMESPACED_HOST.format(
            service=span.operation.service, namespace=span.by.run.namespace
        )
        return host + span.operation.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One service in one trace. `caller` is the name of who called it; seconds are its own view.

    `called_seconds` and `called_failed` are how the caller saw it.
    """

    name: str
    type: str
    caller: str
    start: float
    seconds: float
    failed: bool
    called_seconds: float
    called_failed: bool
    url: str = ""
    method: str = ""
    inferred: bool = False
    root: bool = False
    instance: str = ""
    zone: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return 500 if self.failed else 200


def annotated(run: Run, cluster: str) -> dict[str, str]:
    """Return what the services annotate their segments with."""
    return {
        "cluster": cluster,
        "namespace": run.namespace,
        "pod": run.pod,
        "version": run.program.environment.get("APP_VERSION", ""),
    }


def parts(trace: Trace, around: Surroundings) -> list[Part]:
    """Return every service that took part, callers first."""
    root = trace.root
    return list(_below(root, GENERATOR, root.seconds, root.failed, around))


def _below(
    span: Span, caller: str, seconds: float, failed: bool, around: Surroundings
) -> Iterator[Part]:
    run, name = span.by.run, span.operation.service
    machine = around.machine(run.node)
    yield Part(
        name=name,
        type=CONTAINER,
        caller=caller,
        start=span.start,
        seconds=span.seconds,
        failed=span.failed,
        called_seconds=seconds,
        called_failed=failed,
        url=around.url(span),
        method=span.operation.method,
        root=span.parent is None,
        instance=machine.instance,
        zone=machine.zone,
        annotations=annotated(run, around.cluster.name),
    )
    for one in span.calls:
        if one.answered is not None:
            yield from _below(one.answered, name, one.seconds, one.failed, around)
        else:
            yield _outside(one, name)


def _outside(call: Outgoing, caller: str) -> Part:
    to = call.to
    name, kind = (to.name, to.origin) if isinstance(to, Dependency) else (to.service, REMOTE)
    return Part(
        name=name,
        type=kind,
        caller=caller,
        start=call.start,
        seconds=call.seconds,
        failed=call.failed,
        called_seconds=call.seconds,
        called_failed=call.failed,
        inferred=True,
    )
