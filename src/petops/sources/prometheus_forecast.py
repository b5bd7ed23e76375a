"""What is going to happen by Prometheus' own forecast: memory at its limit, a volume without room.

Asked through the MCP server. Two spans must agree, so that neither a morning's rise nor one jump is
a forecast; and what happened already is no forecast either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from petops.domain.alarm import Alarm, AlarmSource, AlarmState
from petops.domain.subject import ClusterName, Kind, Subject
from petops.errors import SourceError, UsageError
from petops.sources.late_caller import Caller
from petops.sources.prometheus_mcp import EXECUTE_QUERY

_SECONDS: Final = 20.0
_MOST: Final = 50
_CONTAINERS: Final = 'container!="",container!="POD",image!=""'
_MEMORY: Final = """
max by (namespace, pod, container) (
  predict_linear(container_memory_working_set_bytes{{{containers}}}[30m], {ahead}) >
    container_spec_memory_limit_bytes{{{containers}}}
  and predict_linear(container_memory_working_set_bytes{{{containers}}}[2h], {ahead}) >
    container_spec_memory_limit_bytes{{{containers}}}
  and container_memory_working_set_bytes{{{containers}}} <
    container_spec_memory_limit_bytes{{{containers}}}
  and container_spec_memory_limit_bytes{{{containers}}} > 0
)
"""
_VOLUME: Final = """
max by (namespace, persistentvolumeclaim) (
  predict_linear(kubelet_volume_stats_available_bytes[1h], {ahead}) < 0
  and predict_linear(kubelet_volume_stats_available_bytes[6h], {ahead}) < 0
  and kubelet_volume_stats_available_bytes > 0
)
"""


class PrometheusForecast:
    """What Prometheus expects within `hours`."""

    def __init__(self, server: Caller, cluster: ClusterName, hours: float) -> None:
        self._server = server
        self._cluster = cluster
        self._hours = hours

    async def look(self, now: datetime) -> tuple[Alarm, ...]:
        """Return an alarm for each thing that is expected; raise SourceError."""
        memory = await self._asked(_MEMORY)
        volumes = await self._asked(_VOLUME)
        found = [self._memory(labels, now) for labels in memory]
        found += [self._volume(labels, now) for labels in volumes]
        return tuple(found[:_MOST])

    async def _asked(self, template: str) -> list[Mapping[str, str]]:
        ahead = math.ceil(self._hours * 3600)
        query = " ".join(template.format(containers=_CONTAINERS, ahead=ahead).split())
        answer = await self._server.call(EXECUTE_QUERY, {"query": query}, _SECONDS)
        return labels_of(answer)

    def _memory(self, labels: Mapping[str, str], now: datetime) -> Alarm:
        place, pod = labels.get("namespace", ""), labels.get("pod", "")
        said = f"container {labels.get('container', '')} is to reach its memory limit"
        return self._alarm(
            "memory-limit", f"{place}/{pod}", said, now, self._subject(Kind.POD, place, pod)
        )

    def _volume(self, labels: Mapping[str, str], now: datetime) -> Alarm:
        place, claim = labels.get("namespace", ""), labels.get("persistentvolumeclaim", "")
        said = f"PersistentVolumeClaim {place}/{claim} is to have no room left"
        subject = self._subject(Kind.VOLUME_CLAIM, place, claim)
        return self._alarm("volume-full", f"{place}/{claim}", said, now, subject)

    def _subject(self, kind: Kind, namespace: str, name: str) -> Subject | None:
        try:
            return Subject(cluster=self._cluster, kind=kind, namespace=namespace, name=name)
        except UsageError:
            return None

    def _alarm(
        self, kind: str, name: str, said: str, now: datetime, subject: Subject | None
    ) -> Alarm:
        fingerprint = f"forecast:{kind}:{name}"
        return Alarm(
            name=f"forecast {kind} {name}",
            source=AlarmSource.FORECAST,
            fingerprint=fingerprint,
            event_id=f"{fingerprint}/{now.isoformat()}",
            state=AlarmState.ALARM,
            cluster=self._cluster,
            started_at=now.astimezone(UTC),
            subject=subject,
            unmapped="" if subject else f"{said}: its labels name no object",
            metric="container_memory_working_set_bytes" if kind == "memory-limit" else "volume",
            severity="info",
            text=f"{said} within {self._hours:g} hours, if it goes on as it does",
        )


def labels_of(answer: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """Return the labels of each series of a vector."""
    result = answer.get("result")
    if answer.get("resultType") != "vector" or not isinstance(result, list):
        raise SourceError("the MCP server did not answer a forecast with a vector")
    return [one["metric"] for one in result if isinstance(one.get("metric"), Mapping)]
