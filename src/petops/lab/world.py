"""The simulated cluster: a store, its controllers and kubelets, and what can be measured of them.

`World(clock)` is at once a cluster that has run for days, with an hour of measurements behind it.
It only moves when somebody looks (`step`, every request, every measurement) or while `run` keeps it
moving; what happens does not depend on how often that is.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import yaml

from petops.domain.subject import ClusterName
from petops.errors import PetopsError
from petops.lab import application
from petops.lab.application_nodes import nodes
from petops.lab.application_size import Scale
from petops.lab.application_system import api_server
from petops.lab.chance import Chance
from petops.lab.controllers import Controllers
from petops.lab.event_recorder import EventRecorder
from petops.lab.kubelet import Kubelet
from petops.lab.kubernetes_api import KubernetesApi
from petops.lab.kubernetes_request import ApiAnswer, ApiRequest
from petops.lab.metering import Meter
from petops.lab.node_heartbeats import KUBELET_ANNOTATION, STOPPED
from petops.lab.node_memory import NodeRules
from petops.lab.pod_ports import PodPorts
from petops.lab.port_forwarding import Dial
from petops.lab.programs import Behaviours
from petops.lab.resource_metrics import ResourceMetrics
from petops.lab.resources import of_kind
from petops.lab.sandboxes import ADDRESSES_ANNOTATION, USED_UP
from petops.lab.stage import API_SERVER, KUBELET, Stage
from petops.lab.store import Json, ObjectStore
from petops.lab.traffic import Traffic
from petops.lab.usage import ContainerUsage, NodeUsage, ServiceTraffic
from petops.ports import Clock

CLUSTER: Final = ClusterName(name="petops-lab", account="111122223333", region="us-east-1")

_LONGEST_NAP_SECONDS: Final = 0.25
_MARGIN: Final = timedelta(seconds=30)
_APPLIER: Final = "kubectl-client-side-apply"
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


class World:
    """A cluster that is simulated."""

    def __init__(
        self,
        clock: Clock,
        seed: int = 0,
        behaviours: Behaviours | None = None,
        cluster: ClusterName = CLUSTER,
        *,
        history: timedelta | None = None,
        rules: NodeRules | None = None,
        size: int = 1,
    ) -> None:
        self._clock = clock
        self.cluster = cluster
        self.start = clock.now()
        chance = Chance(seed)
        self.scale = Scale(copies=size)
        history = self.scale.history if history is None else history
        applied = self.scale.applied(self.start, cluster)
        first = min(self.start - history - _MARGIN, applied[0][0]) - timedelta(hours=2)
        self._stage = Stage(first, chance)
        self._stage.signs = self.scale.is_small
        events = EventRecorder(self._stage)
        self._kubelet = Kubelet(self._stage, events, behaviours or {}, self._settle, rules)
        self._controllers = Controllers(self._stage, events)
        endpoints = self._controllers.endpoints
        self._traffic = Traffic(self._stage, endpoints, self._kubelet.runs, self.scale.shares)
        self._meter: Meter | None = None
        self.api = KubernetesApi(
            self._stage.store,
            self._kubelet,
            lambda: self._stage.now,
            chance=chance,
            prepare=self.step,
        )
        self.api.ports = PodPorts(self._stage, self._kubelet, self._traffic, self.step)
        self._live(applied, history)

    @property
    def store(self) -> ObjectStore:
        """The objects, to read; writes go through `handle` or `apply`."""
        return self._stage.store

    @property
    def now(self) -> datetime:
        """The simulated time, which `step` moves to the clock's."""
        return self._stage.now

    def step(self) -> None:
        """Let everything happen that is due by the clock's present time."""
        self._stage.advance(self._clock.now())

    def go_on(self, tell: Callable[[str], None]) -> None:
        """From now on only tell what a part of the world trips over, and let the rest go on.

        A test wants to hear of it; a lab that somebody works with must not end by one object.
        """

        def told(exc: Exception) -> None:
            place = traceback.extract_tb(exc.__traceback__)[-1]
            file = place.filename.rpartition("/")[2]
            tell(f"the lab tripped ({file}, line {place.lineno}) and goes on: {exc!r}")

        self._stage.on_fault = told

    async def run(self) -> None:
        """Keep the world moving until cancelled."""
        while True:
            self.step()
            due = self._stage.next_due
            seconds = (due - self._clock.now()).total_seconds() if due else _LONGEST_NAP_SECONDS
            await self._clock.sleep(min(max(seconds, 0.01), _LONGEST_NAP_SECONDS))

    async def until(self, predicate: Callable[[World], bool], timeout: float = 300.0) -> None:  # noqa: ASYNC109
        """Return once `predicate` holds; raise TimeoutError after `timeout` seconds."""
        deadline = self._clock.now() + timedelta(seconds=timeout)
        while True:
            self.step()
            if predicate(self):
                return
            if self._clock.now() >= deadline:
                raise TimeoutError(f"the lab did not get there within {timeout:g} s")
            await self._clock.sleep(_LONGEST_NAP_SECONDS)

    async def handle(self, request: ApiRequest) -> ApiAnswer:
        """Answer one request to the Kubernetes API."""
        return await self.api.handle(request)

    def forward(self, request: ApiRequest) -> Dial | None:
        """Return who answers at a pod's ports, as the Kubernetes API leads there."""
        return self.api.forward(request)

    def apply(
        self, manifests: str | Iterable[Json], *, namespace: str = application.NAMESPACE
    ) -> None:
        """Create or change objects like `kubectl apply`; raise PetopsError if one is refused."""
        self.step()
        documents = yaml.safe_load_all(manifests) if isinstance(manifests, str) else manifests
        for document in documents:
            if document:
                self._apply(document, namespace)
        self.step()

    def stop_kubelet(self, node: str) -> None:
        """Let a node's kubelet fall silent, as if it had crashed; its programs run on."""
        self._annotate_node(node, STOPPED)

    def start_kubelet(self, node: str) -> None:
        """Let a kubelet come back that was stopped."""
        self._annotate_node(node, None)

    def use_up_addresses(self, node: str) -> None:
        """Let a node's subnet have no address left for new pods: no manifest can."""
        self._annotate_node(node, USED_UP, ADDRESSES_ANNOTATION)

    def free_addresses(self, node: str) -> None:
        """Let a node have addresses again."""
        self._annotate_node(node, None, ADDRESSES_ANNOTATION)

    def impair(self, dependency: str, *, slower: float = 1.0, fault_ratio: float = 0.0002) -> None:
        """Let a database or queue outside of the cluster be slow, or fail: no manifest can."""
        self.step()
        self._traffic.impair(dependency, slower=slower, fault_ratio=fault_ratio)

    def _annotate_node(self, node: str, value: str | None, key: str = KUBELET_ANNOTATION) -> None:
        self.step()

        def annotate(found: Json) -> None:
            annotations = found["metadata"].setdefault("annotations", {})
            annotations.pop(key, None)
            if value is not None:
                annotations[key] = value

        if self.store.edit("nodes", "", node, annotate) is None:
            raise PetopsError(f"the lab has no node {node}")

    def usage(self) -> Sequence[ContainerUsage]:
        """Return the samples of the containers that live, each as old as cAdvisor's would be."""
        self.step()
        return self.meter.now()

    def history(self, at: datetime) -> Sequence[ContainerUsage]:
        """Return the samples that stood at a past moment."""
        return self.meter.past(at)

    def traffic(self) -> Sequence[ServiceTraffic]:
        """Return what each pod behind a Service has answered."""
        self.step()
        return self._traffic.now()

    def traffic_history(self, at: datetime) -> Sequence[ServiceTraffic]:
        """Return what each pod had answered at a past moment."""
        return self._traffic.past(at)

    def traffic_rows(self) -> Iterable[ServiceTraffic]:
        """Return all that is kept of `traffic_history`, oldest first."""
        return self._traffic.rows()

    @property
    def chance(self) -> Chance:
        """The seed's draws."""
        return self._stage.chance

    @property
    def requests(self) -> Traffic:
        """How requests are answered: what traces are made of."""
        return self._traffic

    def nodes_usage(self) -> Sequence[NodeUsage]:
        """Return what each node uses."""
        self.step()
        return self.meter.nodes()

    def silent_nodes(self) -> frozenset[str]:
        """Return the nodes whose kubelet does not run."""
        return self._kubelet.silent

    def nodes_history(self, at: datetime) -> Sequence[NodeUsage]:
        """Return what each node used at a past moment."""
        return self.meter.nodes_past(at)

    @property
    def meter(self) -> Meter:
        """All measurements that are kept."""
        if self._meter is None:
            raise RuntimeError("the world is still being made")
        return self._meter

    def _settle(self) -> None:
        if self._meter is not None:
            self._meter.settle()

    def _live(self, applied: Sequence[tuple[datetime, Json]], history: timedelta) -> None:
        """Live through what was applied in the past, and measure the last stretch of it."""
        count, large = self.scale.nodes, self.scale.has_large_nodes
        for node in nodes(self.cluster, self.start, count, large=large):
            self._stage.create(KUBELET, "nodes", node)
        for document in application.surroundings():
            self._apply(document, "")
        for resource, made in api_server(application.NAMESPACE):
            self._stage.create(API_SERVER, resource, made)
        measured = self.start - history - _MARGIN
        for at, document in applied:
            self._stage.advance(at)
            self._apply(document, application.NAMESPACE)
        self._stage.advance(max(measured, self._stage.now))
        self._traffic.settle()
        self._meter = Meter(self._stage, self._kubelet, self._traffic, self.scale.kept)
        self._meter.begin()
        self._kubelet.begin()
        self.metrics = ResourceMetrics(self.store, self._meter)
        self.api.metrics = self.metrics
        self._controllers.begin(self.metrics.by_pod)
        self._stage.advance(self.start)
        self.store.compact()
        self.api.prepare_lists()

    def _apply(self, document: Json, namespace: str) -> None:
        resource = of_kind(str(document.get("apiVersion")), str(document.get("kind")))
        if resource is None:
            raise PetopsError(
                f"the lab does not know {document.get('kind')} of {document.get('apiVersion')}"
            )
        metadata = dict(document["metadata"])
        annotations = {
            **(metadata.get("annotations") or {}),
            _LAST_APPLIED: json.dumps(document) + "\n",
        }
        name, place = metadata["name"], metadata.get("namespace") or namespace
        sent = {**document, "metadata": {**metadata, "annotations": annotations}}
        prefix = f"/apis/{resource.group}/{resource.version}" if resource.group else "/api/v1"
        path = (
            f"{prefix}/namespaces/{place}/{resource.plural}"
            if resource.namespaced
            else f"{prefix}/{resource.plural}"
        )
        there = (
            self.store.find(resource.plural, place if resource.namespaced else "", name) is not None
        )
        answer = self.api.answer(
            ApiRequest.of(
                "PATCH",
                f"{path}/{name}?fieldManager={_APPLIER}",
                sent,
                content_type="application/strategic-merge-patch+json",
            )
            if there
            else ApiRequest.of("POST", f"{path}?fieldManager={_APPLIER}", sent)
        )
        if answer.status >= 400:
            raise PetopsError(f"the lab refused {resource.kind} {name}: {answer.json()['message']}")
