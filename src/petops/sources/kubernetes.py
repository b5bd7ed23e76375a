"""`Cluster` by way of the Kubernetes API: what is asked, in which order; shapes do the rest."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from petops.domain.facts import NodeConditions, Pod, Rollouts
from petops.domain.subject import ClusterName, Kind, Subject
from petops.domain.whereabouts import Balancer
from petops.errors import NotThereError, OutcomeUnknownError, SourceError
from petops.ports import RESOURCES, Headroom, Told, WorkloadState
from petops.sources.kubernetes_objects import KubernetesObjects
from petops.sources.kubernetes_reader import Reader, one_failure
from petops.sources.kubernetes_room import disruptions_allowed, node_room, quota_room
from petops.sources.kubernetes_search import behind, heirs_of, latest_job, workloads_short
from petops.sources.kubernetes_shapes import (
    condition,
    controller_of,
    is_selected,
    labels_of,
    mounts,
    owner_of,
    pods_of,
    selector_text,
)
from petops.sources.kubernetes_states import is_in_trouble, node_of, target_of
from petops.sources.kubernetes_workloads import (
    NO_WORKLOADS,
    ROLLED_OUT,
    current_set,
    owned_by,
    rollouts_of,
    workload_of,
)

Json = Any

_REVIEWS: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_INSTANCE: Final = re.compile(r"i-[0-9a-f]{8,17}")
# CloudWatch calls every workload's pods by the workload's name and does not say its kind; what
# Application Signals calls a service is a workload, whatever Service is in front of it.
_OTHER_KINDS: Final = (Kind.STATEFUL_SET, Kind.DAEMON_SET, Kind.JOB, Kind.POD)
_MOST_NODES: Final = 50


class KubernetesCluster(KubernetesObjects):
    """What one cluster's API server knows; what it tells of single objects is inherited."""

    @property
    def name(self) -> ClusterName:
        return self._name

    async def pods(self, subject: Subject) -> Told[tuple[Pod, ...]]:
        reader = Reader(self._calls)
        found, replica_sets = await self._pods(reader, subject)
        return Told(value=pods_of(found, replica_sets, self._name), asked=reader.asked)

    async def related_pods(self, subject: Subject) -> Told[tuple[Pod, ...]]:
        reader = Reader(self._calls)
        if subject.kind is Kind.NODE:
            return Told(value=(), asked=())
        with one_failure():
            async with asyncio.TaskGroup() as group:
                own_task = group.create_task(self._pods(reader, subject))
                services_task = group.create_task(reader.every(_path(Kind.SERVICE, subject)))
        own, replica_sets = own_task.result()
        selectors = [
            {"matchLabels": selector}
            for one in services_task.result()
            if (selector := one["spec"].get("selector"))
            and any(is_selected(labels_of(pod), {"matchLabels": selector}) for pod in own)
        ]
        with one_failure():
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._selected(reader, subject, selector))
                    for selector in selectors
                ]
        found = {one["metadata"]["uid"]: one for task in tasks for one in task.result()[0]}
        known = [*replica_sets, *(one for task in tasks for one in task.result()[1])]
        owners = {pod.owner for pod in pods_of(own, replica_sets, self._name)}
        related = pods_of(found.values(), known, self._name)
        return Told(
            value=tuple(pod for pod in related if pod.owner not in owners), asked=reader.asked
        )

    async def rollouts(self, subject: Subject) -> Told[Rollouts]:
        if subject.kind is not Kind.DEPLOYMENT:
            raise SourceError(f"petops reads the revisions of Deployments only, not of {subject}")
        reader = Reader(self._calls)
        deployment = await reader.get(subject)
        with one_failure():
            async with asyncio.TaskGroup() as group:
                sets_task = group.create_task(
                    reader.every(
                        _path(Kind.REPLICA_SET, subject),
                        labelSelector=selector_text(deployment["spec"]["selector"]),
                    )
                )
                events_task = group.create_task(_scalings(reader, subject))
        replica_sets, events = sets_task.result(), events_task.result()
        told = rollouts_of(subject, deployment, replica_sets, events, ())
        current = current_set(deployment, owned_by(deployment, replica_sets))
        if told.current_since is None and current is not None:
            selector = selector_text(current["spec"]["selector"])
            pods = await reader.every(_path(Kind.POD, subject), labelSelector=selector)
            told = rollouts_of(subject, deployment, replica_sets, events, pods)
        return Told(value=told, asked=reader.asked)

    async def nodes(self, names: Sequence[str], namespace: str) -> Told[NodeConditions]:
        reader = Reader(self._calls)
        wanted = [
            Subject(cluster=self._name, kind=Kind.NODE, name=name) for name in sorted(set(names))
        ]
        folder = RESOURCES[Kind.POD].format(namespace=namespace) if namespace else "/api/v1/pods"
        with one_failure():
            async with asyncio.TaskGroup() as group:
                failed = group.create_task(reader.some(folder, fieldSelector="status.phase=Failed"))
                tasks = [group.create_task(reader.find(one)) for one in wanted[:_MOST_NODES]]
                every = None if wanted else group.create_task(reader.every(RESOURCES[Kind.NODE]))
        found = [one for task in tasks if (one := task.result()) is not None]
        if every is not None:
            found = [one for one in every.result() if is_in_trouble(one)][:_MOST_NODES]
        evicted = (
            one["metadata"]["name"]
            for one in failed.result()[0]
            if one["status"].get("reason") == "Evicted"
        )
        conditions = NodeConditions(
            nodes=tuple(one["metadata"]["name"] for one in found),
            short_of_memory=_with(found, "MemoryPressure", "True"),
            not_ready=_with(found, "Ready", "False", "Unknown"),
            evicted_pods=tuple(sorted(evicted)),
            states=tuple(node_of(one) for one in found),
        )
        return Told(value=conditions, asked=reader.asked)

    async def workload(self, subject: Subject) -> Told[WorkloadState]:
        if subject.kind not in {*ROLLED_OUT, *NO_WORKLOADS}:
            raise SourceError(f"{subject} is no workload")
        reader = Reader(self._calls)
        return Told(value=workload_of(subject, await reader.get(subject)), asked=reader.asked)

    async def headroom(self, subject: Subject) -> Told[Headroom]:
        reader = Reader(self._calls)
        pods, _ = await self._pods(reader, subject)
        nodes = sorted({one["spec"].get("nodeName") or "" for one in pods} - {""})
        with one_failure():
            async with asyncio.TaskGroup() as group:
                budgets = group.create_task(disruptions_allowed(reader, subject.namespace, pods))
                quota = group.create_task(quota_room(reader, subject.namespace))
                rooms = [
                    group.create_task(node_room(reader, self._node(name)))
                    for name in nodes[:_MOST_NODES]
                ]
        free = [task.result() for task in rooms]
        known = [one for one in free if one is not None]
        room = Headroom(
            disruptions_allowed=budgets.result(),
            node_bytes=min(known) if known and len(known) == len(nodes) else None,
            quota_bytes=quota.result(),
        )
        return Told(value=room, asked=reader.asked)

    async def short_of_pods(self, namespace: str) -> Told[tuple[WorkloadState, ...]]:
        reader = Reader(self._calls)
        found = await workloads_short(reader, namespace, self._name)
        return Told(value=found, asked=reader.asked)

    async def behind(self, balancer: Balancer) -> Told[tuple[Subject, ...]]:
        reader = Reader(self._calls)
        found = await behind(reader, balancer, self._name)
        return Told(value=found, asked=reader.asked)

    async def whoami(self) -> str:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = await self._calls.request("POST", _REVIEWS, body=review)
        except OutcomeUnknownError as exc:
            raise SourceError(exc.message, hint=exc.hint) from exc
        if failure := answer.failure("SelfSubjectReview"):
            raise failure
        try:
            return str(answer.body["status"]["userInfo"]["username"])
        except (KeyError, TypeError) as exc:
            raise SourceError("Kubernetes did not say who petops is") from exc

    def _node(self, name: str) -> Subject:
        return Subject(cluster=self._name, kind=Kind.NODE, name=name)

    async def _pods(self, reader: Reader, subject: Subject) -> tuple[list[Json], list[Json]]:
        """Return the pods that the subject stands for, and the ReplicaSets that may own them."""
        try:
            return await self._present(reader, subject)
        except NotThereError:
            heirs, sets = await heirs_of(reader, subject)
            if not heirs:
                raise
            return heirs, sets

    async def _present(self, reader: Reader, subject: Subject) -> tuple[list[Json], list[Json]]:
        if subject.kind is Kind.NODE:
            node = await _node_called(reader, subject)
            selector = f"spec.nodeName={node['metadata']['name']}"
            return await reader.every("/api/v1/pods", fieldSelector=selector), []
        if subject.kind is Kind.VOLUME_CLAIM:
            return await self._mounting(reader, subject)
        if subject.kind is Kind.AUTOSCALER:
            subject = target_of(await reader.get(subject), subject)
        subject, found = await _resolved(reader, subject)
        if subject.kind is Kind.POD:
            return [found], await _replica_set_of(reader, subject, found)
        if subject.kind is Kind.SERVICE:
            labels = found["spec"].get("selector")
            selected = {"matchLabels": labels}
            return await self._selected(reader, subject, selected) if labels else ([], [])
        pods, sets = await self._selected(reader, subject, found["spec"]["selector"])
        if subject.kind is Kind.DEPLOYMENT:
            mine = replace(subject, cluster=self._name)
            named = zip(pods, _owners(pods, sets, self._name), strict=True)
            return [one for one, owner in named if owner == mine], sets
        uid = found["metadata"]["uid"]
        return [one for one in pods if (controller_of(one) or {}).get("uid") == uid], sets

    async def _mounting(self, reader: Reader, claim: Subject) -> tuple[list[Json], list[Json]]:
        """Return the pods that mount a claim; the claim itself need not be readable for that."""
        with one_failure():
            async with asyncio.TaskGroup() as group:
                pods = group.create_task(reader.every(_path(Kind.POD, claim)))
                sets = group.create_task(reader.every(_path(Kind.REPLICA_SET, claim)))
        return [one for one in pods.result() if mounts(one, claim.name)], sets.result()

    async def _selected(
        self, reader: Reader, subject: Subject, selector: Json
    ) -> tuple[list[Json], list[Json]]:
        """Return the namespace's pods with these labels; a ReplicaSet has those of its pods."""
        text = selector_text(selector)
        with one_failure():
            async with asyncio.TaskGroup() as group:
                pods = group.create_task(reader.every(_path(Kind.POD, subject), labelSelector=text))
                sets = group.create_task(
                    reader.every(_path(Kind.REPLICA_SET, subject), labelSelector=text)
                )
        return pods.result(), sets.result()


def _path(kind: Kind, near: Subject) -> str:
    return RESOURCES[kind].format(namespace=near.namespace)


def _owners(pods: list[Json], sets: list[Json], cluster: ClusterName) -> list[Subject]:
    known = {one["metadata"]["uid"]: one for one in sets}
    return [owner_of(pod, known, cluster) for pod in pods]


def _with(nodes: list[Json], kind: str, *statuses: str) -> tuple[str, ...]:
    return tuple(one["metadata"]["name"] for one in nodes if condition(one, kind) in statuses)


async def _resolved(reader: Reader, subject: Subject) -> tuple[Subject, Json]:
    """Return the object; where there is no such Deployment or Service, what else has its name."""
    try:
        return subject, await reader.get(subject)
    except NotThereError:
        if subject.kind not in {Kind.DEPLOYMENT, Kind.SERVICE}:
            raise
        kinds = (Kind.DEPLOYMENT, *_OTHER_KINDS)
        others = [replace(subject, kind=kind) for kind in kinds if kind is not subject.kind]
        with one_failure():
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(reader.find(one)) for one in others]
        for other, task in zip(others, tasks, strict=True):
            if (found := task.result()) is not None:
                return other, found
        if (latest := await latest_job(reader, subject)) is not None:
            return replace(subject, kind=Kind.JOB, name=latest["metadata"]["name"]), latest
        raise


async def _replica_set_of(reader: Reader, subject: Subject, pod: Json) -> list[Json]:
    """Return the ReplicaSet that controls the pod, if one does and it can be read."""
    controller = controller_of(pod)
    if controller is None or controller["kind"] != Kind.REPLICA_SET:
        return []
    try:
        found = await reader.find(
            replace(subject, kind=Kind.REPLICA_SET, name=str(controller["name"]))
        )
    except SourceError:
        return []
    return [] if found is None else [found]


async def _node_called(reader: Reader, subject: Subject) -> Json:
    """Return a node by its name, or by its instance's id: an alarm on EC2 knows no other."""
    found = await reader.find(subject)
    if found is None and _INSTANCE.fullmatch(subject.name):
        every = await reader.every(RESOURCES[Kind.NODE])
        ends = f"/{subject.name}"
        matching = (one for one in every if (one["spec"].get("providerID") or "").endswith(ends))
        found = next(matching, None)
    if found is None:
        raise NotThereError(f"Kubernetes has no {subject}")
    return found


async def _scalings(reader: Reader, deployment: Subject) -> list[Json]:
    """Return the events of the Deployment's scaling; without them its revisions are still known."""
    selector = f"involvedObject.kind=Deployment,involvedObject.name={deployment.name}"
    path = f"/api/v1/namespaces/{deployment.namespace}/events"
    try:
        return await reader.every(path, fieldSelector=f"{selector},reason=ScalingReplicaSet")
    except SourceError:
        return []
