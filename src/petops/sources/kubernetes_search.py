"""Which objects may be meant where only a namespace or a load balancer is named."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from petops.domain.subject import HAS_REPLICAS, ClusterName, Kind, Subject
from petops.domain.whereabouts import Balancer
from petops.errors import ForbiddenError, NotThereError, UsageError
from petops.ports import RESOURCES, WorkloadState
from petops.sources.kubernetes_reader import Reader, one_failure
from petops.sources.kubernetes_shapes import controller_of
from petops.sources.kubernetes_workloads import workload_of

Json = Any

_INGRESSES: Final = "/apis/networking.k8s.io/v1/ingresses"
_SERVICES: Final = "/api/v1/services"
# The AWS Load Balancer Controller names target groups k8s-NAMESPACE-SERVICE-HASH, with eight
# letters or digits of each name and ten of the hash.
_TARGETS: Final = re.compile(r"k8s-([a-z0-9]{1,8})-([a-z0-9]{1,8})-[a-z0-9]{10}", re.IGNORECASE)
_NO_ALNUM: Final = re.compile(r"[^a-z0-9]", re.IGNORECASE)
_PREFIXES: Final = ("dualstack.", "internal-")


async def workloads_short(
    reader: Reader, namespace: str, cluster: ClusterName
) -> tuple[WorkloadState, ...]:
    """Return the namespace's workloads that have not the pods that they want."""
    with one_failure():
        async with asyncio.TaskGroup() as group:
            tasks = {
                kind: group.create_task(reader.every(RESOURCES[kind].format(namespace=namespace)))
                for kind in sorted(HAS_REPLICAS)
            }
    states = (
        workload_of(
            Subject(cluster=cluster, kind=kind, name=one["metadata"]["name"], namespace=namespace),
            one,
        )
        for kind, task in tasks.items()
        for one in task.result()
    )
    return tuple(one for one in states if not one.is_rolled_out)


async def behind(reader: Reader, balancer: Balancer, cluster: ClusterName) -> tuple[Subject, ...]:
    """Return the Services behind a load balancer: by the host names that it gave, else by name.

    A target group's name tells which of several; alone it is told by the controller's pattern.
    """
    with one_failure():
        async with asyncio.TaskGroup() as group:
            services = group.create_task(reader.every(_SERVICES))
            ingresses = group.create_task(_ingresses(reader))
    here = {_place(one): one for one in services.result()}
    named = [
        *(_place(one) for one in here.values() if _is_given(one, balancer.name)),
        *(
            place
            for one in ingresses.result()
            if _is_given(one, balancer.name)
            for place in _backends(one)
        ),
    ]
    meant = [one for one in dict.fromkeys(named) if one in here]
    if balancer.targets and _TARGETS.fullmatch(balancer.targets):
        meant = [one for one in meant or here if _makes(one, balancer.targets)]
    return tuple(_subjects(meant, cluster))


async def _ingresses(reader: Reader) -> list[Json]:
    """Return every Ingress; none where they may not be read, or no such resource is served."""
    try:
        return await reader.every(_INGRESSES)
    except (ForbiddenError, NotThereError):
        return []


def _place(one: Json) -> tuple[str, str]:
    return str(one["metadata"].get("namespace") or ""), str(one["metadata"]["name"])


def _is_given(one: Json, name: str) -> bool:
    """Say whether a load balancer of this name is in front of a Service or Ingress.

    Its host name is its own name, a dash, and what AWS puts behind it.
    """
    given = ((one.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    hosts = (str(each.get("hostname") or "").lower() for each in given if isinstance(each, Mapping))
    return bool(name) and any(_bare(host).startswith(f"{name.lower()}-") for host in hosts)


def _bare(host: str) -> str:
    for prefix in _PREFIXES:
        host = host.removeprefix(prefix)
    return host


def _backends(ingress: Json) -> Iterator[tuple[str, str]]:
    spec, namespace = ingress.get("spec") or {}, ingress["metadata"].get("namespace") or ""
    paths = (
        path
        for rule in spec.get("rules") or ()
        for path in (rule.get("http") or {}).get("paths") or ()
    )
    for backend in (spec.get("defaultBackend"), *(one.get("backend") for one in paths)):
        name = ((backend or {}).get("service") or {}).get("name")
        if name:
            yield namespace, str(name)


def _makes(place: tuple[str, str], targets: str) -> bool:
    """Say whether a target group of this name may be this Service's."""
    found = _TARGETS.fullmatch(targets)
    cut = tuple(_NO_ALNUM.sub("", part)[:8].lower() for part in place)
    return found is not None and cut == (found[1].lower(), found[2].lower())


def _subjects(places: Iterable[tuple[str, str]], cluster: ClusterName) -> Iterator[Subject]:
    for namespace, name in places:
        try:
            yield Subject(cluster=cluster, kind=Kind.SERVICE, name=name, namespace=namespace)
        except UsageError:  # no name that Kubernetes admits: whatever served this is odd
            continue


async def heirs_of(reader: Reader, gone: Subject) -> tuple[list[Json], list[Json]]:
    """Return the pods that took the place of one that is gone, told by its name.

    Alarms are minutes late, and pods are replaced: those of its own controller count, else those of
    another ReplicaSet of the same Deployment.
    """
    above, _, last = gone.name.rpartition("-")
    if gone.kind is not Kind.POD or not above or not last:
        return [], []
    pods_path = RESOURCES[Kind.POD].format(namespace=gone.namespace)
    sets_path = RESOURCES[Kind.REPLICA_SET].format(namespace=gone.namespace)
    with one_failure():
        async with asyncio.TaskGroup() as group:
            pods_task = group.create_task(reader.every(pods_path))
            sets_task = group.create_task(reader.every(sets_path))
    owned = [(one, owner) for one in pods_task.result() if (owner := controller_of(one))]
    heirs = [one for one, owner in owned if owner["name"] == above]
    if not heirs and (deployment := above.rpartition("-")[0]):
        heirs = [
            one
            for one, owner in owned
            if owner["kind"] == Kind.REPLICA_SET and owner["name"].rpartition("-")[0] == deployment
        ]
    return heirs, sets_task.result()


async def latest_job(reader: Reader, called: Subject) -> Json | None:
    """Return the newest Job of the CronJob of this name: Container Insights calls its pods so."""
    jobs = await reader.every(RESOURCES[Kind.JOB].format(namespace=called.namespace))
    mine = [
        one
        for one in jobs
        if (owner := controller_of(one))
        and (owner["kind"], owner["name"]) == ("CronJob", called.name)
    ]
    return max(mine, key=lambda one: str(one["metadata"].get("creationTimestamp")), default=None)
