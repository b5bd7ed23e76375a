"""Kubernetes events, in the three shapes that scheduler, controllers and kubelet write them in.

The same event again raises its count, many that differ in a name only become one, and events go
after an hour, as they do on a real cluster.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from petops.lab.quantities import micro_stamp, moment, stamp
from petops.lab.resources import stored
from petops.lab.stage import CONTROLLERS, KUBELET, SCHEDULER, Stage
from petops.lab.store import Json, key_of

KEPT: Final = timedelta(hours=1)
# A client that has said nearly the same so often, in so short a time, says it as one event.
_SIMILAR: Final = 10
_SIMILAR_WITHIN: Final = timedelta(minutes=10)
_COMBINED: Final = "(combined from similar events): "
SWEEP_SECONDS: Final = 300.0
_SCHEDULER: Final = "default-scheduler"


class EventRecorder:
    """Writes events about objects."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._names: dict[tuple[str, ...], str] = {}
        self._similar: dict[tuple[str, ...], tuple[datetime, set[str]]] = {}
        self._written = 0
        stage.after(SWEEP_SECONDS, self._sweep)

    def controller(
        self,
        component: str,
        resource: str,
        about: Json,
        reason: str,
        message: str,
        *,
        warning: bool = False,
    ) -> None:
        """Record what a controller did."""
        kind = "Warning" if warning else "Normal"
        self._counted(resource, about, (reason, message), {"component": component}, kind=kind)

    def node(self, node: Json, reason: str, message: str, *, warning: bool = False) -> None:
        """Record what a kubelet says of its node; it knows no uid, and writes its name instead."""
        name = node["metadata"]["name"]
        about = {"metadata": {"name": name, "uid": name}}
        source = {"component": "kubelet", "host": name}
        kind = "Warning" if warning else "Normal"
        self._counted("nodes", about, (reason, message), source, kind=kind)

    def kubelet(
        self,
        pod: Json,
        reason: str,
        message: str,
        *,
        container: str = "",
        warning: bool = False,
        annotations: Json | None = None,
    ) -> None:
        """Record what a kubelet did with a pod, or with one container of it."""
        source = {"component": "kubelet", "host": pod["spec"]["nodeName"]}
        place = f"spec.containers{{{container}}}" if container else ""
        kind = "Warning" if warning else "Normal"
        said = (reason, message)
        self._counted("pods", pod, said, source, kind=kind, place=place, annotations=annotations)

    def scheduler(self, pod: Json, reason: str, message: str, *, warning: bool = False) -> None:
        """Record what the scheduler decided."""
        key = (pod["metadata"]["uid"], reason, message)
        if self._again(SCHEDULER, key, pod["metadata"]["namespace"]):
            return
        made = self._event("pods", pod, reason, message, "")
        made |= {
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "type": "Warning" if warning else "Normal",
            "eventTime": micro_stamp(self._stage.now),
            "action": "Scheduling" if warning else "Binding",
            "reportingComponent": _SCHEDULER,
            "reportingInstance": f"{_SCHEDULER}-lab",
        }
        self._create(SCHEDULER, key, made)

    def _counted(
        self,
        resource: str,
        about: Json,
        said: tuple[str, str],
        source: Json,
        *,
        kind: str = "Normal",
        place: str = "",
        annotations: Json | None = None,
    ) -> None:
        reason, message = said
        namespace = about["metadata"].get("namespace") or "default"
        key: tuple[str, ...] = (about["metadata"]["uid"], reason, message, place)
        if self._is_one_of_many((about["metadata"]["uid"], source["component"], reason), message):
            key, message = (about["metadata"]["uid"], reason), f"{_COMBINED}{message}"
        manager = KUBELET if source["component"] == KUBELET else CONTROLLERS
        if self._again(manager, key, namespace, message):
            return
        at = stamp(self._stage.now)
        made = self._event(resource, about, reason, message, place)
        if annotations:
            made["metadata"]["annotations"] = annotations
        made |= {
            "source": source,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
            "type": kind,
            "eventTime": None,
            "reportingComponent": source["component"],
            "reportingInstance": source.get("host", ""),
        }
        self._create(manager, key, made)

    def _is_one_of_many(self, about: tuple[str, ...], message: str) -> bool:
        """Say whether too many different messages say nearly the same of one object."""
        now = self._stage.now
        last, messages = self._similar.get(about, (now, set()))
        if now - last > _SIMILAR_WITHIN:
            messages = set()
        messages.add(message)
        self._similar[about] = (now, messages)
        if len(messages) < _SIMILAR:
            return False
        messages.discard(message)
        return True

    def _again(self, manager: str, key: tuple[str, ...], namespace: str, message: str = "") -> bool:
        """Raise the count of an event that is there already; say whether it was."""
        name = self._names.get(key)
        if name is None:
            return False

        def count(found: Json) -> None:
            found["message"] = message or found["message"]
            if found["eventTime"] is None:
                found["count"] += 1
                found["lastTimestamp"] = stamp(self._stage.now)
            else:
                series = found.setdefault("series", {"count": 1, "lastObservedTime": ""})
                series["count"] += 1
                series["lastObservedTime"] = micro_stamp(self._stage.now)

        place = (namespace, name)
        return self._stage.edit(manager, "events", place, count) is not None

    def _event(self, resource: str, about: Json, reason: str, message: str, place: str) -> Json:
        row = stored(resource)
        metadata = about["metadata"]
        self._written += 1
        nanoseconds = int(self._stage.now.timestamp() * 1e6) * 1000 + self._written % 1000
        involved: Json = {"kind": row.kind}
        if metadata.get("namespace"):
            involved["namespace"] = metadata["namespace"]
        involved |= {"name": metadata["name"], "uid": metadata["uid"]}
        if "resourceVersion" in metadata:
            version = {"resourceVersion": metadata["resourceVersion"]}
            involved |= {"apiVersion": row.api_version, **(version if resource != "nodes" else {})}
        if place:
            involved["fieldPath"] = place
        return {
            "metadata": {
                "name": f"{metadata['name']}.{nanoseconds:x}",
                "namespace": metadata.get("namespace") or "default",
            },
            "involvedObject": involved,
            "reason": reason,
            "message": message,
        }

    def _create(self, manager: str, key: tuple[str, ...], made: Json) -> None:
        self._names[key] = made["metadata"]["name"]
        self._stage.create(manager, "events", made)

    def _sweep(self) -> None:
        """Take away what has not happened for an hour."""
        store = self._stage.store
        for found in store.objects("events"):
            last = found.get("lastTimestamp") or found.get("eventTime")
            if last and moment(last) < self._stage.now - KEPT:
                store.delete("events", *key_of(found))
        there = {found["metadata"]["name"] for found in store.objects("events")}
        self._names = {key: name for key, name in self._names.items() if name in there}
        recent = self._stage.now - _SIMILAR_WITHIN
        self._similar = {key: one for key, one in self._similar.items() if one[0] >= recent}
        self._stage.after(SWEEP_SECONDS, self._sweep)
