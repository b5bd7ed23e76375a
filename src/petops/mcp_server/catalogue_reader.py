"""Reads what a Prometheus holds into a catalogue, and keeps it for a while."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from petops.errors import SourceError
from petops.mcp_server.asked import Prometheus
from petops.mcp_server.question.catalogue import Catalogue
from petops.mcp_server.question.dialect import ASKED, ROLES, Row

FRESH_SECONDS: Final = 60.0
KEPT: Final = 4
MOST_ROWS: Final = 60_000
MOST_NAMES: Final = 20_000
MOST_METRICS: Final = 200
_SAME_SECONDS = 300
_TOO_MUCH = "Prometheus could not answer"  # too many samples, or too long a query
_KNOWN = re.compile(
    r"container_(memory_(working_set_bytes|usage_bytes|rss|cache)|cpu_usage_seconds_total|"
    r"cpu_cfs_(throttled_)?periods_total|spec_(memory_limit_bytes|cpu_(quota|period))|"
    r"network_(receive|transmit)_bytes_total|oom_events_total|fs_usage_bytes)|"
    r"kube_pod_(info|status_phase|status_ready|container_status_restarts(_total)?|"
    r"container_status_last_terminated_reason|container_resource_(limits|requests)(_\w+)?)|"
    r"kube_(deployment|horizontalpodautoscaler)_(spec|status)_\w*replicas\w*|"
    r"kube_(node_info|node_status_condition|namespace_status_phase)|kubelet_evictions|"
    r"node_(memory_Mem(Available|Total|Free)_bytes|cpu_seconds_total|load[15]|uname_info|"
    r"disk_io_time_seconds_total|filesystem_(avail|free|size)_bytes|network_(receive|transmit)_bytes_total)"
)
_OF_SERVICES = re.compile(
    r"(?!container_|kube_|node_|apiserver_|kubelet_|prometheus_|etcd_|scheduler_|workqueue_|rest_client_|go_|"
    r"coredns_|net_conntrack_)\w*(requests?|latency|duration|response_time|handled|http_errors)\w*_"
    r"(total|count|bucket|sum)"
)
_logger = logging.getLogger(__name__)
_GROUPS = ("container_", "kube_", "node_", "")


@dataclass(frozen=True, slots=True)
class _Kept:
    catalogue: Catalogue
    read_at: float


class CatalogueReader:
    """Reads catalogues of one Prometheus; one of less than a minute ago is still good."""

    def __init__(self, client: Prometheus) -> None:
        self._client = client
        self._kept: dict[int, _Kept] = {}
        self._lock = asyncio.Lock()

    async def at(self, moment: datetime) -> Catalogue:
        """Return the catalogue as of a moment; raise SourceError if it cannot be read."""
        key = int(moment.timestamp() // _SAME_SECONDS)
        async with self._lock:
            kept = self._kept.get(key)
            now = asyncio.get_running_loop().time()
            if kept is not None and now - kept.read_at < FRESH_SECONDS:
                return kept.catalogue
            catalogue = await self._read(moment)
            self._kept.pop(key, None)
            self._kept[key] = _Kept(catalogue, now)
            while len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
            return catalogue

    async def _read(self, moment: datetime) -> Catalogue:
        """Ask for the metrics' names, then for the labels of those that are understood."""
        at = f"{moment.timestamp():.3f}"
        names = await self._client.metric_names()
        known = [name for name in names if _KNOWN.fullmatch(name) or _OF_SERVICES.fullmatch(name)]
        rows: dict[str, list[Row]] = {}
        asked = [self._rows(group, at) for group in _grouped(known[:MOST_METRICS])]
        for found in await asyncio.gather(*asked):
            for name, some in found.items():
                rows.setdefault(name, []).extend(some)
        past = await self._past(rows)
        catalogue = Catalogue.of(names, rows, past)
        return await asyncio.to_thread(catalogue.warm)

    async def literal(self, catalogue: Catalogue, name: str, moment: datetime) -> Catalogue:
        """Return the catalogue with a metric that was not understood by itself."""
        rows = await self._rows([name], f"{moment.timestamp():.3f}")
        every = {known: metric.rows for known, metric in catalogue.metrics.items()}
        return Catalogue.of(catalogue.names, {**every, **rows}, catalogue.past)

    async def _rows(self, names: list[str], at: str) -> Mapping[str, list[Row]]:
        """Return the distinct label sets of some metrics."""
        # A histogram's buckets have the labels of its count, many times.
        plain = [re.sub(r"_bucket$", "_count", name) for name in names]
        selector = "|".join(sorted(set(plain)))
        query = f'group by (__name__, {", ".join(ASKED)}) ({{__name__=~"{selector}"}})'
        try:
            data: Any = (await self._client.query(query, at)).data
        except SourceError as exc:
            if not exc.message.startswith(_TOO_MUCH):
                raise
            return await self._halves(names, at)
        found: dict[str, list[Row]] = {}
        for series in data.get("result", ())[:MOST_ROWS]:
            labels = {str(key): str(value) for key, value in series["metric"].items()}
            found.setdefault(labels.pop("__name__", ""), []).append(labels)
        for name in names:
            if name.endswith("_bucket") and name.replace("_bucket", "_count") in found:
                found[name] = found[name.replace("_bucket", "_count")]
        return found

    async def _halves(self, names: list[str], at: str) -> Mapping[str, list[Row]]:
        """Ask for half of the metrics at a time; one that is too much by itself is left out."""
        if len(names) == 1:
            _logger.warning("%s has too many series to be asked about", names[0])
            return {}
        middle = len(names) // 2
        first = await self._rows(names[:middle], at)
        return {**first, **await self._rows(names[middle:], at)}

    async def _past(self, rows: Mapping[str, list[Row]]) -> Mapping[str, tuple[str, ...]]:
        """Return names that older series have, too: they may have no data, but are known."""
        present = {label for some in rows.values() for row in some for label in row}
        if not present:
            present = {"pod", "namespace", "node"}
        wanted = [
            (kind, label)
            for kind in ("pod", "namespace", "node")
            for label in ROLES[kind]
            if label in present and label != "instance"  # which names whatever is scraped
        ]
        found: dict[str, tuple[str, ...]] = {}
        for kind, label in wanted:
            try:
                values = await self._client.label_values(label)
            except SourceError:
                continue  # a name of the past is then not known, and no more
            found[kind] = (*found.get(kind, ()), *values[:MOST_NAMES])
        return found


def _grouped(names: list[str]) -> list[list[str]]:
    """Return the names in groups that can be asked for at the same time."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(next(prefix for prefix in _GROUPS if name.startswith(prefix)), []).append(
            name
        )
    return list(groups.values())


def moment_of(text: str | float | None) -> datetime:
    """Return a time that a client gave: RFC 3339 or Unix seconds, else now."""
    if text is None or text == "":
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise SourceError(
            f"{str(text)[:40]!r} is no time", hint="RFC 3339, or Unix seconds"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
