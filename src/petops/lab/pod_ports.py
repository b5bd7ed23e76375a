"""Who answers at a pod's port: a program on this machine, or the pod's simulated program over HTTP.

A pod, or a workload that owns it, may say by its annotation `lab.petops.dev/ports` that programs on
this machine's loopback stand behind ports of it: `8080=41234,9090=41235`. Only the lab's kubelet
knows of that, and only port-forward leads there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from petops.lab.application_metrics import application_text
from petops.lab.exposition import CONTENT_TYPE
from petops.lab.kubelet import Kubelet
from petops.lab.pod_facts import controller_of
from petops.lab.port_talk import (
    HttpAnswer,
    PortRefusedError,
    Talk,
    over_http,
    with_real_port,
)
from petops.lab.probes import health_paths
from petops.lab.runs import Run
from petops.lab.stage import Stage
from petops.lab.store import Json
from petops.lab.traffic import Traffic

PORTS_ANNOTATION: Final = "lab.petops.dev/ports"
_HEALTH: Final = ("/health", "/livez", "/ready")
_LONGEST_WAIT_SECONDS: Final = 30.0
_OWNERS: Final = {
    "ReplicaSet": "replicasets",
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
    "Job": "jobs",
}


class PodPorts:
    """The ports of all pods."""

    def __init__(
        self, stage: Stage, kubelet: Kubelet, traffic: Traffic, step: Callable[[], None]
    ) -> None:
        self._stage, self._kubelet, self._traffic, self._step = stage, kubelet, traffic, step
        self._asked = 0

    def dial(self, pod: Json, port: int) -> Talk:
        """Return who answers at a port of a pod; raise PortRefusedError where nobody does."""
        self._step()
        real = self._real(pod, port)
        if real is not None:
            return with_real_port(real)
        run = self._kubelet.listening(pod, port)
        if run is None:
            raise PortRefusedError(_refused(pod, port))

        async def respond(method: str, path: str) -> HttpAnswer:
            return await self._respond(run, pod, method, path.partition("?")[0])

        return over_http(respond)

    def _real(self, pod: Json, port: int) -> int | None:
        """Return the port of this machine that stands behind a pod's port."""
        found: Json | None = pod
        while found is not None:
            told = (found["metadata"].get("annotations") or {}).get(PORTS_ANNOTATION, "")
            for each in told.split(","):
                theirs, _, ours = each.strip().partition("=")
                if theirs == str(port) and ours.isdecimal() and 0 < int(ours[:6]) < 1 << 16:
                    return int(ours)
            found = self._owner(found)
        return None

    def _owner(self, found: Json) -> Json | None:
        owner = controller_of(found)
        plural = _OWNERS.get(owner["kind"]) if owner else None
        if owner is None or plural is None:
            return None
        return self._stage.store.find(plural, found["metadata"]["namespace"], owner["name"])

    async def _respond(self, run: Run, pod: Json, method: str, path: str) -> HttpAnswer:
        self._step()
        if path == "/metrics":
            return HttpAnswer(body=self._metrics(run), content_type=CONTENT_TYPE)
        age, behaviour = run.age(self._stage.now), run.behaviour
        ready, live = health_paths(pod)
        if path in live or path.startswith(_HEALTH[1]):
            return _health(behaviour.is_live is None or behaviour.is_live(age))
        if path in ready or path.startswith(_HEALTH):
            return _health(behaviour.is_ready is None or behaviour.is_ready(age))
        return await self._served(run)

    async def _served(self, run: Run) -> HttpAnswer:
        """Answer as slowly and as badly as the pod answers everybody else."""
        situations = self._traffic.situations
        answer = situations[-1].answers.get(run.container_id) if situations else None
        self._asked += 1
        if answer is None:
            return HttpAnswer()
        await asyncio.sleep(min(answer.mean_seconds, _LONGEST_WAIT_SECONDS))
        drawn = self._stage.chance.unit("answer", run.container_id, self._asked)
        return (
            HttpAnswer(status=500, body="error\n") if drawn < answer.error_ratio else HttpAnswer()
        )

    def _metrics(self, run: Run) -> str:
        """Return what the pod's own instrumentation says, and its process."""
        rows = [one for one in self._traffic.now() if one.pod == run.pod]
        rss = run.behaviour.memory(run.age(self._stage.now), run.program.memory_limit_bytes)[0]
        process = {
            "process_cpu_seconds_total": ("counter", round(run.cpu_seconds, 2)),
            "process_resident_memory_bytes": ("gauge", rss),
            "process_start_time_seconds": ("gauge", run.started_at.timestamp()),
        }
        return application_text(rows) + "".join(
            f"# TYPE {name} {kind}\n{name} {value}\n" for name, (kind, value) in process.items()
        )


def _health(good: bool) -> HttpAnswer:
    return HttpAnswer() if good else HttpAnswer(status=503, body="not ok\n")


def _refused(pod: Json, port: int) -> str:
    """Return what a kubelet with containerd says."""
    mark = pod["metadata"]["uid"]
    where = f"/var/run/netns/cni-{mark}"
    return (
        f"error forwarding port {port} to pod {pod['metadata']['name']}, uid {mark}: failed to "
        f'execute portforward in network namespace "{where}": failed to connect to '
        f'localhost:{port} inside namespace "{mark}", IPv4: dial tcp4 127.0.0.1:{port}: connect: '
        f"connection refused IPv6 dial tcp6 [::1]:{port}: connect: connection refused "
    )
