"""The manifests' roles against what the adapters really ask: nothing is missing, nothing too much.

The lab evaluates RBAC, so that the adapters run here as the very ServiceAccount of the manifests.
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from petops.actuators.kubernetes import KubernetesActuator
from petops.domain.change import (
    Act,
    Cordon,
    DrainNode,
    EvictPod,
    PodTarget,
    RestartWorkload,
    ScaleOut,
    SetCpuLimit,
    SetHpa,
    SetMemoryLimit,
    Uncordon,
    UndoRollout,
)
from petops.domain.policy import Account
from petops.domain.subject import Kind, Subject
from petops.domain.terrain import Permission, permissions
from petops.domain.whereabouts import Balancer
from petops.errors import PetopsError
from petops.lab.kubernetes_request import ApiRequest, target_of, verb_of
from petops.ports import RESOURCES, ApiAnswer, Cluster, Site
from petops.ports.topology import TopologySource
from petops.programs.manifests import Wanted, objects
from petops.sources.kubernetes import KubernetesCluster
from petops.sources.kubernetes_lease import KubernetesLease
from petops.sources.kubernetes_site import KubernetesSite
from petops.sources.kubernetes_topology import KubernetesTopology
from tests.adapters.test_actuators_on_lab import CLUSTER, HISTORY, SITE, LabCalls
from tests.lab.hand_clock import Lab

pytestmark = pytest.mark.slow

Right = tuple[str, str, str]
"""Verb, group, and resource with its subresource."""

NOT_ASKED_HERE: frozenset[Right] = frozenset({("create", "authentication.k8s.io", "tokenreviews")})
"""What the API asks about its callers: its own tests use it."""

ONLY_PATCH = {UndoRollout, ScaleOut, SetCpuLimit}
"""Changes that are one patch of a workload, as a restart is."""

ROLLED = tuple(
    replace(SITE, kind=kind) for kind in (Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET)
)


class AccountCalls(LabCalls):
    """Calls as a ServiceAccount of the manifests; remembers what they took, and every refusal."""

    def __init__(self, lab: Lab, overlay: str) -> None:
        lab.world.apply(objects(Wanted(overlay=overlay)))
        lab.pass_seconds(5)
        account = "/api/v1/namespaces/devops-agent/serviceaccounts/devops-agent/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = lab.ask("POST", account, asked).json()
        super().__init__(lab, answer["status"]["token"])
        self.used: set[Right] = set()
        self.refused: list[str] = []

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str | None = None,
    ) -> ApiAnswer:
        if path != "/api/v1":
            target = target_of(path)
            name = f"{target.resource.plural}/{target.sub}".rstrip("/")
            verb = verb_of(ApiRequest(method=method, path=path, query=dict(query or {})), target)
            self.used.add((verb, target.resource.group, name))
        answer = await super().request(
            method, path, query=query, body=body, content_type=content_type
        )
        if answer.status == 403:
            self.refused.append(answer.message)
        return answer


def granted(overlay: str, role: str) -> set[Right]:
    (found,) = [
        one
        for one in objects(Wanted(overlay=overlay))
        if one["kind"] == "ClusterRole" and one["metadata"]["name"] == role
    ]
    return {
        (verb, group, resource)
        for rule in found["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


async def ask_everything(calls: AccountCalls) -> None:
    """Call every method of both ports that read, for every kind of object."""
    cluster, site = KubernetesCluster(calls, CLUSTER), KubernetesSite(calls, CLUSTER)
    pod = calls.lab.pods("petsite")[0]
    here = replace(SITE, kind=Kind.POD, name=pod["metadata"]["name"])
    node = Subject(cluster=CLUSTER, kind=Kind.NODE, name=pod["spec"]["nodeName"])
    instance = replace(node, name="i-0123456789abcdef0")
    subjects = [*(replace(SITE, kind=kind) for kind in RESOURCES if kind is not Kind.NODE), node]
    alone = replace(SITE, kind=Kind.SERVICE, name="nobody")
    selector = {"spec": {"selector": {"app": "nobody"}, "ports": [{"port": 80}]}}
    calls.lab.world.apply(
        [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nobody"}} | selector]
    )
    permission = Permission(verb="get", group="", resource="pods", namespace="default")
    asked: dict[str, list[Any]] = {
        "pods": [
            cluster.pods(one) for one in (*subjects, here, instance, replace(SITE, name="none"))
        ],
        "related_pods": [cluster.related_pods(SITE), cluster.related_pods(node)],
        "rollouts": [cluster.rollouts(SITE)],
        "nodes": [cluster.nodes([], ""), cluster.nodes([node.name], "default")],
        "workload": [cluster.workload(one) for one in subjects],
        "headroom": [cluster.headroom(SITE)],
        "events": [cluster.events([SITE, node])],
        "evictions": [cluster.evictions("default")],
        "last_words": [cluster.last_words(here, "petsite")],
        "services": [cluster.services(SITE), cluster.services(alone)],
        "short_of_pods": [cluster.short_of_pods("default")],
        "behind": [cluster.behind(Balancer(name="shop"))],
        "autoscalers": [cluster.autoscalers(SITE)],
        "quotas": [cluster.quotas("default")],
        "job": [cluster.job(replace(SITE, kind=Kind.JOB))],
        "nearby": [cluster.nearby("default")],
        "whoami": [cluster.whoami()],
        "room": [site.room(SITE)],
        "node": [site.node(node)],
        "topology": [KubernetesTopology(calls, CLUSTER, clock=calls.lab.clock).topology()],
        "may": [site.may(permission, None), site.may(permission, Account(user="ana"))],
    }
    ports = (Cluster, Site, TopologySource)
    assert set(asked) == {name for port in ports for name in methods_of(port)}, "not looked at"
    for each in (one for calls_of_it in asked.values() for one in calls_of_it):
        with suppress(PetopsError):  # that an object is not there is no refusal
            await each


def methods_of(port: type) -> Iterator[str]:
    for name, one in vars(port).items():
        if not name.startswith("_") and inspect.isfunction(one):
            yield name


@pytest.mark.parametrize("overlay", ["read-only", "repair"])
async def test_the_read_role_lets_every_question_be_asked_and_no_other(overlay: str) -> None:
    calls = AccountCalls(Lab(), overlay)
    await ask_everything(calls)
    assert not calls.refused
    own = {one for one in calls.used if not one[2].startswith("self")}
    # What acts reads its object first: an autoscaler by its name.
    reads_of_acts = {("get", "autoscaling", "horizontalpodautoscalers")}
    assert granted(overlay, "devops-agent-read") == own | NOT_ASKED_HERE | reads_of_acts


def changes(lab: Lab) -> Iterator[Act]:
    """Every kind of change, of objects that are there."""
    pods = [one["metadata"] for one in lab.pods("petsite")]
    uid = lab.get("/apis/apps/v1/namespaces/default/deployments/petsite")["metadata"]["uid"]
    nodes = lab.get("/api/v1/nodes")["items"]
    node = Subject(cluster=CLUSTER, kind=Kind.NODE, name=nodes[0]["metadata"]["name"])
    node_uid = nodes[0]["metadata"]["uid"]
    named = tuple(PodTarget(namespace="default", name=one["name"], uid=one["uid"]) for one in pods)
    first = replace(SITE, kind=Kind.POD, name=pods[0]["name"])
    hpa = SetHpa(subject=HISTORY, uid="", name="made", minimum=1, was=None, to=3)
    limit = SetMemoryLimit(subject=SITE, uid=uid, container="petsite", was="1", to="2", pods=named)
    for one in ROLLED:
        yield RestartWorkload(subject=one, uid=uid, was=None, to="2026-11-23T09:00:00Z")
    yield limit
    yield hpa
    yield replace(hpa, was=3, to=4)
    yield replace(hpa, was=4, to=None)
    yield Cordon(subject=node, uid=node_uid)
    yield Uncordon(subject=node, uid=node_uid)
    yield EvictPod(subject=first, uid=pods[0]["uid"])
    yield DrainNode(subject=node, uid=node_uid, was_cordoned=False, pods=named, deadline_seconds=60)


def test_the_repair_role_is_what_the_changes_need_and_nothing_else() -> None:
    """By what petops itself asks Kubernetes before each change."""
    needed = {
        (one.verb, one.group, f"{one.resource}/{one.subresource}".rstrip("/"))
        for change in changes(Lab())
        for one in permissions(change)
    }
    assert granted("repair", "devops-agent-repair") == needed
    assert {type(one) for one in changes(Lab())} | ONLY_PATCH == set(Act.__args__)


async def test_the_repair_role_lets_changes_be_tried_and_made() -> None:
    lab = Lab()
    calls = AccountCalls(lab, "repair")
    actuator = KubernetesActuator(calls)
    for change in changes(lab):
        for act in (actuator.dry_run(change), made(actuator, change)):
            with suppress(PetopsError):  # that an object is not there is no refusal
                await act
    assert not calls.refused
    writes = {one for one in calls.used if one[0] not in {"get", "list"}}
    assert {("create", "", "pods/eviction"), ("patch", "", "nodes")} <= writes
    assert writes <= granted("repair", "devops-agent-repair")


async def test_a_replica_may_take_the_lease_of_its_settings_and_no_other() -> None:
    lab = Lab()
    calls = AccountCalls(lab, "read-only")
    settings = lab.get("/api/v1/namespaces/devops-agent/configmaps/devops-agent")["data"]
    named = tomllib.loads(settings["petops.toml"])["daemon"]["lease"]
    said: list[str] = []

    def lease(name: str) -> KubernetesLease:
        return KubernetesLease(
            calls,
            namespace="devops-agent",
            name=name,
            holder="one",
            address="",
            clock=lab.clock,
        )

    async with lease(named).held(said.append) as held:
        assert held.token == 1
    async with lease(named).held(said.append) as held:
        assert held.token == 2
    assert not calls.refused
    assert {one for one in calls.used if one[2] == "leases"} == {
        (verb, "coordination.k8s.io", "leases") for verb in ("create", "get", "update")
    }
    await calls.request(
        "GET", "/apis/coordination.k8s.io/v1/namespaces/devops-agent/leases/another"
    )
    assert calls.refused


async def test_the_read_only_overlay_can_change_nothing() -> None:
    lab = Lab()
    calls = AccountCalls(lab, "read-only")
    actuator = KubernetesActuator(calls)
    node = lab.get("/api/v1/nodes")["items"][0]["metadata"]
    subject = Subject(cluster=CLUSTER, kind=Kind.NODE, name=node["name"])
    tried = await actuator.dry_run(Cordon(subject=subject, uid=node["uid"]))
    assert tried.note.startswith("petops may not make it")
    (refused,) = calls.refused
    assert 'cannot patch resource "nodes"' in refused


async def made(actuator: KubernetesActuator, change: Act) -> None:
    await actuator.apply(change, "act-1")
    await actuator.advance(change, "act-1")
    await actuator.was_applied(change, "act-1")
