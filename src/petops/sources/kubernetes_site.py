"""`Site` by way of the Kubernetes API: what stands around a change, and who may make it.

Each part by itself: what petops may not read, or cannot, is None with its why, and spoils no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from petops.domain.policy import Account
from petops.domain.subject import ClusterName, Kind, Subject
from petops.domain.terrain import NodeSite, Permission, Room, Scaler
from petops.errors import NotThereError, OutcomeUnknownError, SourceError
from petops.ports import RESOURCES, KubernetesCalls
from petops.sources.kubernetes_occupancy import (
    left_of_quotas,
    most_a_container,
    node_rooms,
    node_site,
)
from petops.sources.kubernetes_reader import Reader

Json = Any
T = TypeVar("T")

_RUNNING: Final = "status.phase!=Succeeded,status.phase!=Failed"
_SELF: Final = "SelfSubjectAccessReview"
_OTHER: Final = "SubjectAccessReview"
_REVIEWS: Final = "/apis/authorization.k8s.io/v1"


class KubernetesSite:
    """What one cluster's API server tells of the ground that a change stands on."""

    def __init__(self, calls: KubernetesCalls, name: ClusterName) -> None:
        self._calls = calls
        self._name = name

    async def room(self, subject: Subject) -> Room:
        """Return what stands around a workload or node."""
        why: dict[str, str] = {}
        reader = Reader(self._calls)
        space = subject.namespace

        async def known(part: str, ask: Callable[[], Awaitable[T]]) -> T | None:
            try:
                return await ask()
            except SourceError as exc:
                why[part] = exc.message
                return None

        async with asyncio.TaskGroup() as group:
            nodes = group.create_task(known("nodes", lambda: self._nodes(reader)))
            quota = group.create_task(known("quota", lambda: _quota(reader, space)))
            most = group.create_task(known("limit ranges", lambda: _limit_ranges(reader, space)))
            scalers = group.create_task(known("autoscaler", lambda: _scalers(reader, subject)))
            resizes = group.create_task(known("resize", self._resizes))
        found = scalers.result()
        return Room(
            nodes=nodes.result(),
            quota=quota.result(),
            container_most=most.result(),
            has_scaler=None if found is None else bool(found),
            scaler=found[0] if found else None,
            resizes_in_place=resizes.result(),
            why=why,
        )

    async def node(self, subject: Subject) -> NodeSite:
        """Return a node with the pods on it, and what holds each of them there."""
        reader = Reader(self._calls)
        node = await reader.get(subject)
        selector = f"spec.nodeName={subject.name}"
        pods = await reader.every("/api/v1/pods", fieldSelector=selector)
        budgets = await reader.every("/apis/policy/v1/poddisruptionbudgets")
        return node_site(subject, node, pods, budgets)

    async def may(self, permission: Permission, by: Account | None) -> bool:
        """Ask Kubernetes whether somebody may; None is petops itself."""
        kind = _SELF if by is None else _OTHER
        attributes = {
            "verb": permission.verb,
            "group": permission.group,
            "resource": permission.resource,
            "subresource": permission.subresource,
            "namespace": permission.namespace,
            "name": permission.name,
        }
        spec: dict[str, Json] = {
            "resourceAttributes": {key: value for key, value in attributes.items() if value}
        }
        if by is not None:
            spec |= {"user": by.user, "groups": [*by.groups, "system:authenticated"]}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
        try:
            answer = await self._calls.request("POST", f"{_REVIEWS}/{kind.lower()}s", body=body)
        except OutcomeUnknownError as exc:  # a review changes nothing
            raise SourceError(exc.message, hint=exc.hint) from exc
        if failure := answer.failure(kind):
            raise failure
        allowed = (answer.body.get("status") or {}).get("allowed")
        if not isinstance(allowed, bool):
            raise SourceError("Kubernetes did not say whether it is allowed")
        return allowed

    async def _nodes(self, reader: Reader) -> Any:
        nodes = await reader.every(RESOURCES[Kind.NODE])
        return node_rooms(nodes, await reader.every("/api/v1/pods", fieldSelector=_RUNNING))

    async def _resizes(self) -> bool:
        """Say whether pods have the `resize` subresource: by discovery, whatever the version."""
        answer = await self._calls.request("GET", "/api/v1")
        if failure := answer.failure("/api/v1"):
            raise failure
        served = answer.body.get("resources") if isinstance(answer.body, Mapping) else ()
        return any(one.get("name") == "pods/resize" for one in served or ())


async def _quota(reader: Reader, space: str) -> Mapping[str, int]:
    if not space:
        return {}
    return left_of_quotas(await reader.every(f"/api/v1/namespaces/{space}/resourcequotas"))


async def _limit_ranges(reader: Reader, space: str) -> Mapping[str, int]:
    if not space:
        return {}
    try:
        return most_a_container(await reader.every(f"/api/v1/namespaces/{space}/limitranges"))
    except NotThereError:
        return {}


async def _scalers(reader: Reader, subject: Subject) -> list[Scaler]:
    """Return the autoscalers of the workload; a cluster without that API has none."""
    if not subject.namespace:
        return []
    path = RESOURCES[Kind.AUTOSCALER].format(namespace=subject.namespace)
    try:
        found = await reader.every(path)
    except NotThereError:
        return []
    return [
        Scaler(
            name=one["metadata"]["name"],
            uid=one["metadata"]["uid"],
            minimum=one["spec"].get("minReplicas", 1),
            maximum=one["spec"]["maxReplicas"],
            desired=(one.get("status") or {}).get("desiredReplicas", 0),
        )
        for one in found
        if (target := one["spec"]["scaleTargetRef"])["kind"] == subject.kind
        and target["name"] == subject.name
    ]
