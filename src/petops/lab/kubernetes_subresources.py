"""What hangs below an object: scale, eviction, logs; a status is written like its object."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from petops.lab import kubernetes_status as says
from petops.lab.kubernetes_deletes import Deleter
from petops.lab.kubernetes_forms import View
from petops.lab.kubernetes_request import ApiAnswer, ApiRequest, Target
from petops.lab.kubernetes_status import Cause
from petops.lab.kubernetes_writes import Writer, said_by_store
from petops.lab.patching import json_patch, merge_patch
from petops.lab.quantities import moment, stamp
from petops.lab.resource_rows import SCALE
from petops.lab.selectors import as_text, selects
from petops.lab.store import Json, ObjectStore, clone, key_of

FOLLOW_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a container wrote."""

    at: datetime
    text: str


class UnreachableKubeletError(Exception):
    """The node's kubelet does not answer; the text is its address."""


class Logs(Protocol):
    """Where a container's lines come from."""

    def lines(self, pod: Json, container: str, *, previous: bool) -> Sequence[LogLine] | None:
        """Return the lines of a present or previous run, oldest first; None if there is none."""


def scale_of(found: Json) -> Json:
    """Return a workload's `Scale`."""
    metadata = found["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas = (found.get("status") or {}).get("replicas", 0)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "spec": {"replicas": found["spec"].get("replicas", 1)},
        "status": {"replicas": replicas, "selector": as_text(found["spec"].get("selector"))},
    }


class Subresources:
    """Answers for subresources, on behalf of requests."""

    def __init__(
        self,
        store: ObjectStore,
        writer: Writer,
        deleter: Deleter,
        logs: Logs,
        now: Callable[[], datetime],
    ) -> None:
        self._store, self._writer, self._deleter = store, writer, deleter
        self._logs, self._now = logs, now

    def scale(self, request: ApiRequest, target: Target) -> ApiAnswer:
        """Read or change how many replicas a workload should have."""
        plural = target.resource.plural
        with said_by_store(target.resource, target.name):
            found = self._store.get(plural, target.namespace, target.name)
        if request.method == "GET":
            shown = scale_of(found)
            return ApiAnswer.of(View.of(request).one(SCALE, shown, self._now()))
        now = self._scaled(request, scale_of(found))
        replicas = (now.get("spec") or {}).get("replicas", 0)
        if not isinstance(replicas, int) or isinstance(replicas, bool):
            raise says.bad_request("json: cannot unmarshal into Go struct field spec.replicas")
        if replicas < 0:
            text = f"Invalid value: {replicas}: must be greater than or equal to 0"
            cause = Cause("spec.replicas", text)
            raise says.invalid_kind("Scale", "autoscaling", target.name, [cause])
        version = now["metadata"].get("resourceVersion")
        changed = clone(found)
        changed["spec"]["replicas"] = replicas
        if version:
            changed["metadata"]["resourceVersion"] = version
        written = self._writer.replace(request, target, found, changed)
        return ApiAnswer.of(scale_of(written.found))

    def _scaled(self, request: ApiRequest, before: Json) -> Json:
        sent = request.document()
        if request.method == "PUT":
            if not isinstance(sent, dict) or not isinstance(sent.get("spec", {}), dict):
                raise says.bad_request("a Scale is an object")
            return {
                **before,
                **sent,
                "metadata": {**before["metadata"], **(sent.get("metadata") or {})},
            }
        if request.content_type == "application/json-patch+json":
            return Writer.patched(json_patch, before, sent)
        if request.content_type not in {
            "application/merge-patch+json",
            "application/strategic-merge-patch+json",
        }:
            raise says.unsupported_media()
        patched = Writer.patched(merge_patch, before, sent)
        if "resourceVersion" not in (sent.get("metadata") or {}):
            patched["metadata"].pop("resourceVersion", None)
        return patched

    def evict(self, request: ApiRequest, target: Target) -> Json:
        """Delete a pod, unless a PodDisruptionBudget stands against it."""
        with said_by_store(target.resource, target.name):
            pod = self._store.get("pods", target.namespace, target.name)
        sent = request.optional()
        options: Json = sent.get("deleteOptions") or {}
        dry = request.is_dry_run or options.get("dryRun") == ["All"]
        waits = (pod.get("status") or {}).get("phase") in {"Failed", "Pending", "Succeeded"}
        if not waits and "deletionTimestamp" not in pod["metadata"]:
            self._spend_budget(pod, dry=dry)
        wanted = options.get("preconditions") or {}
        with said_by_store(target.resource, target.name):
            self._store.check(pod, uid=wanted.get("uid"), version=wanted.get("resourceVersion"))
        if not dry:
            self._mark_disrupted(target)
        self._deleter.delete(request, target, options)
        return says.success(201)

    def _spend_budget(self, pod: Json, *, dry: bool) -> None:
        """Take one disruption of the pod's budget; a wrong uid afterwards does not give it back."""
        labels = pod["metadata"].get("labels") or {}
        namespace = pod["metadata"]["namespace"]
        for budget in self._store.objects("poddisruptionbudgets", namespace):
            if not selects(budget["spec"].get("selector"), labels):
                continue
            status = budget.get("status") or {}
            healthy, needed = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
            if not _is_ready(pod) and healthy >= needed > 0:
                continue  # IfHealthyBudget: it is no healthy pod that would be lost
            if status.get("disruptionsAllowed", 0) < 1:
                raise says.disruption_refused(budget["metadata"]["name"], needed, healthy)
            if not dry:
                self._note_disruption(budget, pod)

    def _note_disruption(self, budget: Json, pod: Json) -> None:
        def spend(found: Json) -> None:
            found["status"]["disruptionsAllowed"] -= 1
            disrupted = found["status"].setdefault("disruptedPods", {})
            disrupted[pod["metadata"]["name"]] = stamp(self._now())

        metadata = budget["metadata"]
        self._store.edit("poddisruptionbudgets", metadata["namespace"], metadata["name"], spend)

    def _mark_disrupted(self, target: Target) -> None:
        def mark(found: Json) -> None:
            conditions = found.setdefault("status", {}).setdefault("conditions", [])
            conditions.append(
                {
                    "type": "DisruptionTarget",
                    "status": "True",
                    "lastProbeTime": None,
                    "lastTransitionTime": stamp(self._now()),
                    "reason": "EvictionByEvictionAPI",
                    "message": "Eviction API: evicting",
                }
            )

        self._store.edit("pods", target.namespace, target.name, mark)

    def log(self, request: ApiRequest, target: Target) -> ApiAnswer:
        """Return a container's lines, or follow them."""
        with said_by_store(target.resource, target.name):
            pod = self._store.get("pods", target.namespace, target.name)
        container = _container_named(pod, request.query.get("container", ""))
        if not pod["spec"].get("nodeName"):
            return ApiAnswer(status=204)
        previous = request.flag("previous")
        try:
            lines = self._logs.lines(pod, container, previous=previous)
        except UnreachableKubeletError as exc:
            place = "/".join((*key_of(pod), container))
            query = urlencode(sorted((k, v) for k, v in request.query.items() if k != "container"))
            url = f"https://{exc}/containerLogs/{place}" + (f"?{query}" if query else "")
            why = f'Get "{url}": dial tcp {exc}: connect: connection refused'
            raise says.unreachable_kubelet(why) from exc
        if lines is None:
            raise says.bad_request(_why_no_log(pod, container, previous=previous))
        chosen = self._chosen(request, lines)
        if request.flag("follow") and not previous:
            since = lines[-1].at if lines else moment(pod["metadata"]["creationTimestamp"])
            body = self._follow(pod, container, chosen, since, stamped=request.flag("timestamps"))
            return ApiAnswer(headers={"content-type": "text/plain"}, body=body)
        text = _text(chosen, stamped=request.flag("timestamps"))
        limit = request.number("limitBytes")
        return ApiAnswer.plain(
            text if limit is None else text.encode()[:limit].decode(errors="ignore")
        )

    def _chosen(self, request: ApiRequest, lines: Sequence[LogLine]) -> Sequence[LogLine]:
        since = request.number("sinceSeconds")
        start = self._now() - timedelta(seconds=since) if since is not None else None
        if text := request.query.get("sinceTime"):
            try:
                start = moment(text)
            except ValueError:
                raise says.bad_request(f'parsing time "{text}": cannot parse') from None
        tail = request.number("tailLines")
        if (tail or 0) < 0 or (since is not None and since < 1):
            field = "tailLines" if (tail or 0) < 0 else "sinceSeconds"
            cause = Cause(field, "Invalid value: must be greater than 0")
            raise says.invalid_kind("PodLogOptions", "", "", [cause])
        chosen = [line for line in lines if start is None or line.at >= start]
        return chosen if tail is None else chosen[len(chosen) - min(tail, len(chosen)) :]

    async def _follow(
        self, pod: Json, container: str, first: Iterable[LogLine], last: datetime, *, stamped: bool
    ) -> AsyncIterator[bytes]:
        yield _text(first, stamped=stamped).encode()
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            found = self._store.find("pods", *key_of(pod))
            if found is None or found["metadata"]["uid"] != pod["metadata"]["uid"]:
                return
            try:
                lines = self._logs.lines(found, container, previous=False) or ()
            except UnreachableKubeletError:
                return
            new = [line for line in lines if line.at > last]
            if new:
                last = new[-1].at
                yield _text(new, stamped=stamped).encode()


def _text(lines: Iterable[LogLine], *, stamped: bool) -> str:
    return "".join(
        f"{_nano(line.at)} {line.text}\n" if stamped else f"{line.text}\n" for line in lines
    )


def _nano(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def _is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _container_named(pod: Json, asked: str) -> str:
    name = pod["metadata"]["name"]
    names = [one["name"] for one in pod["spec"]["containers"]]
    early = [one["name"] for one in pod["spec"].get("initContainers") or ()]
    if not asked:
        if len(names) > 1:
            raise says.bad_request(
                f"a container name must be specified for pod {name}, "
                f"choose one of: [{' '.join(names)}]"
            )
        return str(names[0])
    if asked not in (*names, *early):
        raise says.bad_request(f"container {asked} is not valid for pod {name}")
    return asked


def _why_no_log(pod: Json, container: str, *, previous: bool) -> str:
    name = pod["metadata"]["name"]
    if previous:
        return f'previous terminated container "{container}" in pod "{name}" not found'
    state: Any = {}
    for one in (pod.get("status") or {}).get("containerStatuses") or ():
        if one["name"] == container:
            state = one.get("state") or {}
    reason = (state.get("waiting") or {}).get("reason", "ContainerCreating")
    if reason in {"ImagePullBackOff", "ErrImagePull"}:
        reason = (
            "image can't be pulled"
            if reason == "ImagePullBackOff"
            else "trying and failing to pull image"
        )
    return f'container "{container}" in pod "{name}" is waiting to start: {reason}'
