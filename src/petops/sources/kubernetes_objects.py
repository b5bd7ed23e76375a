"""What Kubernetes tells of single objects: events, logs, Services, autoscalers, quotas, Jobs.

Every answer is bounded: so many events, lines, bytes and pages, and no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from petops.domain.facts import Pod
from petops.domain.objects import (
    Autoscalers,
    Evictions,
    JobRun,
    LastWords,
    ObjectEvents,
    Quotas,
    ServiceEndpoints,
)
from petops.domain.subject import HAS_REPLICAS, ClusterName, Kind, Subject
from petops.errors import ForbiddenError, SourceError
from petops.ports import RESOURCES, KubernetesCalls, Told, object_path
from petops.sources.kubernetes_events import LOG_BYTES, LOG_LINES, log_lines, occurrences_of
from petops.sources.kubernetes_reader import Reader, one_failure
from petops.sources.kubernetes_shapes import labels_of, pods_of, selector_text
from petops.sources.kubernetes_states import (
    autoscaler_of,
    fits,
    in_front,
    job_of,
    may_be_meant,
    quotas_of,
    scales,
    service_of,
)

Json = Any

_SLICES: Final = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
_AUTOSCALERS: Final = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers"
_QUOTAS: Final = "/api/v1/namespaces/{}/resourcequotas"
_MOST_OBJECTS: Final = 16
_MOST_SERVICES: Final = 8


class KubernetesObjects:
    """The part of `Cluster` that looks at single objects closely."""

    def __init__(self, calls: KubernetesCalls, name: ClusterName) -> None:
        self._calls = calls
        self._name = name

    async def events(self, about: Sequence[Subject]) -> Told[ObjectEvents]:
        reader = Reader(self._calls)
        with one_failure():
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(_events(reader, one))
                    for one in dict.fromkeys(about[:_MOST_OBJECTS])
                ]
        found = [one for task in tasks for one in task.result()[0]]
        cut = any(task.result()[1] for task in tasks) or len(about) > _MOST_OBJECTS
        occurrences = occurrences_of(found)
        cut = cut or len(occurrences) < len(found)
        return Told(value=ObjectEvents(occurrences=occurrences, is_cut=cut), asked=reader.asked)

    async def evictions(self, namespace: str) -> Told[Evictions]:
        reader = Reader(self._calls)
        try:
            found, _ = await reader.some("/api/v1/events", fieldSelector="reason=Evicted")
        except ForbiddenError:
            if not namespace:
                raise
            path = f"/api/v1/namespaces/{namespace}/events"
            found, _ = await reader.some(path, fieldSelector="reason=Evicted")
        return Told(value=Evictions(occurrences=occurrences_of(found)), asked=reader.asked)

    async def last_words(self, pod: Subject, container: str) -> Told[LastWords]:
        reader = Reader(self._calls)
        path = f"{object_path(pod)}/log"
        bounds = {"tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES)}
        was_before = True
        try:
            body = await reader.text(path, container=container, previous="true", **bounds)
        except ForbiddenError:
            raise
        except SourceError:
            # The kubelet keeps one ended container; where it has none, the present one says more.
            body, was_before = await reader.text(path, container=container, **bounds), False
        words = LastWords(
            pod=pod.name, container=container, was_before=was_before, lines=log_lines(body)
        )
        return Told(value=words, asked=reader.asked)

    async def services(self, subject: Subject) -> Told[ServiceEndpoints]:
        reader = Reader(self._calls)
        namespace = subject.namespace
        if not namespace:
            return Told(value=ServiceEndpoints(services=()), asked=())
        with one_failure():
            async with asyncio.TaskGroup() as group:
                listed = group.create_task(
                    reader.every(RESOURCES[Kind.SERVICE].format(namespace=namespace))
                )
                sliced = group.create_task(reader.every(_SLICES.format(namespace)))
                looked = group.create_task(reader.get(subject))
        template = _template(subject, looked.result())
        slices = sliced.result()
        if subject.kind is Kind.SERVICE:
            chosen = [looked.result()]
        else:
            chosen = in_front(listed.result(), slices, template)[:_MOST_SERVICES]
        with one_failure():
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(_selected(reader, namespace, one)) for one in chosen]
        found = [(one, task.result()) for one, task in zip(chosen, tasks, strict=True)]
        alone = any(not pods for _, pods in found)
        workloads = await _workloads(reader, namespace) if alone else {}
        others = workloads.values()
        found = [
            (one, pods)
            for one, pods in found
            if pods or fits(one, template) or may_be_meant(one, template, others)
        ]
        states = (
            service_of(
                one,
                slices,
                pods,
                self._name,
                misses=not fits(one, template),
                awaits="" if pods else _awaited(one, workloads),
            )
            for one, pods in found
        )
        return Told(value=ServiceEndpoints(services=tuple(states)), asked=reader.asked)

    async def autoscalers(self, subject: Subject) -> Told[Autoscalers]:
        reader = Reader(self._calls)
        found = await reader.every(_AUTOSCALERS.format(subject.namespace))
        own = tuple(autoscaler_of(one) for one in found if scales(one, subject))
        return Told(value=Autoscalers(found=own), asked=reader.asked)

    async def quotas(self, namespace: str) -> Told[Quotas]:
        reader = Reader(self._calls)
        found = await reader.every(_QUOTAS.format(namespace))
        return Told(value=Quotas(quotas=quotas_of(found)), asked=reader.asked)

    async def job(self, subject: Subject) -> Told[JobRun]:
        reader = Reader(self._calls)
        return Told(value=job_of(await reader.get(subject), self._name), asked=reader.asked)

    async def nearby(self, namespace: str) -> Told[tuple[Pod, ...]]:
        reader = Reader(self._calls)
        with one_failure():
            async with asyncio.TaskGroup() as group:
                pods = group.create_task(
                    reader.some(RESOURCES[Kind.POD].format(namespace=namespace))
                )
                sets = group.create_task(
                    reader.some(RESOURCES[Kind.REPLICA_SET].format(namespace=namespace))
                )
        found = pods_of(pods.result()[0], sets.result()[0], self._name)
        return Told(value=found, asked=reader.asked)


async def _events(reader: Reader, about: Subject) -> tuple[list[Json], bool]:
    """Return the events about one object; those of a Node stand in the namespace `default`."""
    namespace = about.namespace or "default"
    selector = f"involvedObject.kind={about.kind},involvedObject.name={about.name}"
    return await reader.some(f"/api/v1/namespaces/{namespace}/events", 1, fieldSelector=selector)


async def _workloads(reader: Reader, namespace: str) -> Mapping[str, Mapping[str, str]]:
    """Return the labels of the pods that a namespace's workloads keep, whether there are any."""
    with one_failure():
        async with asyncio.TaskGroup() as group:
            tasks = {
                kind: group.create_task(reader.every(RESOURCES[kind].format(namespace=namespace)))
                for kind in sorted(HAS_REPLICAS)
            }
    return {
        f"{kind} {one['metadata']['name']}": _labels_made(one)
        for kind, task in tasks.items()
        for one in task.result()
    }


def _awaited(service: Json, workloads: Mapping[str, Mapping[str, str]]) -> str:
    """Return the first workload whose pods the Service would select; empty for none."""
    return next((name for name, labels in workloads.items() if fits(service, labels)), "")


async def _selected(reader: Reader, namespace: str, service: Json) -> list[Json]:
    selector = (service.get("spec") or {}).get("selector")
    if not selector:
        return []
    path = RESOURCES[Kind.POD].format(namespace=namespace)
    text = selector_text({"matchLabels": selector})
    found, _ = await reader.some(path, labelSelector=text)
    return found


def _template(subject: Subject, found: Json) -> Mapping[str, str]:
    """Return the labels of the pods that the subject makes."""
    if subject.kind is Kind.POD:
        return labels_of(found)
    if subject.kind is Kind.SERVICE:
        own: Mapping[str, str] = (found.get("spec") or {}).get("selector") or {}
        return own
    return _labels_made(found)


def _labels_made(workload: Json) -> Mapping[str, str]:
    template = (workload.get("spec") or {}).get("template") or {}
    labels: Mapping[str, str] = (template.get("metadata") or {}).get("labels") or {}
    return labels
