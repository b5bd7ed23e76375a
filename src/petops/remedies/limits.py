"""A container's limits as its workload's template has them, and whether they can grow in place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from petops.domain.change import PodTarget
from petops.domain.quantity import bytes_of, milli
from petops.domain.terrain import Demand
from petops.remedies.base import Situation

Json = Any


def container_in(template: str, name: str) -> Mapping[str, Json]:
    """Return the container of this name, an empty one where there is none."""
    containers = json.loads(template).get("spec", {}).get("containers", [])
    found: Mapping[str, Json] = next((one for one in containers if one.get("name") == name), {})
    return found


def limit_of(template: str, name: str, resource: str) -> str | None:
    """Return a container's limit as it is written, None where it has none."""
    limits = (container_in(template, name).get("resources") or {}).get("limits") or {}
    found = limits.get(resource)
    return None if found is None else str(found)


def has_request(template: str, name: str, resource: str) -> bool:
    """Say whether the container requests the resource itself: else its limit is its request."""
    requests = (container_in(template, name).get("resources") or {}).get("requests") or {}
    return requests.get(resource) is not None


def demand_of(template: str) -> Demand:
    """Return what one pod of the template requests; a limit without a request is one."""
    spec = json.loads(template).get("spec", {})
    cpu_milli = memory = 0
    for one in spec.get("containers", []):
        resources = one.get("resources") or {}
        wanted = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        cpu_milli += milli(str(wanted.get("cpu", "0")))
        memory += bytes_of(str(wanted.get("memory", "0")))
    return Demand(cpu_milli=cpu_milli, memory_bytes=memory)


def pods_in_place(situation: Situation, container: str, resource: str) -> tuple[PodTarget, ...]:
    """Return the pods in which the limit can grow without a restart; none where it needs a rollout.

    A pod whose requests are its limits may not lose that (its quality of service is fixed), and a
    container may ask to be restarted when it is resized.
    """
    template = situation.workload.template
    found = container_in(template, container)
    if not situation.room.resizes_in_place or not has_request(template, container, resource):
        return ()
    policies = {one.get("resourceName"): one for one in found.get("resizePolicy") or ()}
    if policies.get(resource, {}).get("restartPolicy") == "RestartContainer":
        return ()
    resources = found.get("resources") or {}
    if resources.get("requests") == resources.get("limits"):
        return ()
    running = [one for one in situation.pods if one.phase == "Running" and not one.being_deleted]
    return tuple(PodTarget(namespace=one.namespace, name=one.name, uid=one.uid) for one in running)
