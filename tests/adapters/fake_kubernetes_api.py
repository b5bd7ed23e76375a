"""A small Kubernetes API on recorded objects: gets, lists by selector, real merge patches."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from petops.domain.subject import ClusterName
from petops.ports import ApiAnswer

RECORDINGS = Path(__file__).parents[1] / "recordings"
CLUSTER = ClusterName(name="shop", account="111122223333", region="us-east-1")
FOLDERS = {
    "pods": "/api/v1/namespaces/{}/pods",
    "events": "/api/v1/namespaces/{}/events",
    "services": "/api/v1/namespaces/{}/services",
    "resourcequotas": "/api/v1/namespaces/{}/resourcequotas",
    "deployments": "/apis/apps/v1/namespaces/{}/deployments",
    "statefulsets": "/apis/apps/v1/namespaces/{}/statefulsets",
    "daemonsets": "/apis/apps/v1/namespaces/{}/daemonsets",
    "replicasets": "/apis/apps/v1/namespaces/{}/replicasets",
    "jobs": "/apis/batch/v1/namespaces/{}/jobs",
    "pdb": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "nodes": "/api/v1/nodes",
    "endpointslices": "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
    "hpa": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "ingresses": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
    "node-events": "/api/v1/namespaces/{}/events",
}
ALL_PODS = "/api/v1/pods"
ALL = (
    *(ALL_PODS, "/api/v1/events", "/api/v1/services"),
    "/apis/networking.k8s.io/v1/ingresses",
)
Json = Any


def recorded(case: str, what: str) -> list[Json]:
    """The objects of one recorded list."""
    items: list[Json] = json.loads((RECORDINGS / case / f"{what}.json").read_text())["items"]
    return items


def recorded_answer(name: str) -> ApiAnswer:
    """One recorded answer to a single call."""
    response = json.loads((RECORDINGS / "api" / f"{name}.json").read_text())["response"]
    return ApiAnswer(status=response["status"], body=response["body"])


def status(code: int, message: str) -> ApiAnswer:
    body = {"kind": "Status", "status": "Failure", "message": message, "code": code}
    return ApiAnswer(status=code, body=body)


class FakeApi:
    """`KubernetesCalls` over objects in memory. `answers` take precedence, by method and path."""

    def __init__(self, *cases: str) -> None:
        self.objects: dict[str, dict[str, Json]] = {}
        self.answers: dict[tuple[str, str], ApiAnswer | Exception] = {}
        self.asked: list[tuple[str, str, Mapping[str, str], Json, str | None]] = []
        self.before_patch: Callable[[Json], object] = lambda found: None
        self.version = 10_000
        self.page: int | None = None
        self.logs: dict[str, str] = {}
        for case in cases:
            for log in (RECORDINGS / case).glob("logs/*.log"):
                self.logs[log.stem] = log.read_text()
            for what in FOLDERS:
                if (RECORDINGS / case / f"{what}.json").exists():
                    self.add(what, recorded(case, what))

    def add(self, what: str, objects: Iterable[Json]) -> None:
        for one in objects:
            folder = FOLDERS[what].format(one["metadata"].get("namespace"))
            self.objects.setdefault(folder, {})[one["metadata"]["name"]] = copy.deepcopy(one)

    def one(self, path: str) -> Json:
        folder, _, name = path.rpartition("/")
        return self.objects[folder][name]

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str | None = None,
    ) -> ApiAnswer:
        query = query or {}
        self.asked.append((method, path, query, copy.deepcopy(body), content_type))
        if (said := self.answers.get((method, path))) is not None:
            if isinstance(said, Exception):
                raise said
            return said
        if path.endswith("/log"):
            return self._log(path.split("/")[-2], query)
        folder, _, name = path.rpartition("/")
        found = self.objects.get(folder, {}).get(name)
        if found is not None:
            return self._patch(found, query, body) if method == "PATCH" else answer(found)
        if any(re.fullmatch(one.format("[^/]+"), path) for one in (*FOLDERS.values(), *ALL)):
            return self._list(path, query)
        return status(404, f'"{name}" not found')

    def _list(self, path: str, query: Mapping[str, str]) -> ApiAnswer:
        where = [path]
        if path in ALL:
            kind = path.rpartition("/")[2]
            where = [one for one in self.objects if one.endswith(f"/{kind}")]
        every = [item for one in where for item in self.objects.get(one, {}).values()]
        items = [one for one in every if _matches(one, query)]
        start, metadata = int(query.get("continue", "0")), {"resourceVersion": "1"}
        end = start + (self.page or len(items) or 1)
        if end < len(items):
            metadata["continue"] = str(end)
        return answer({"kind": "List", "metadata": metadata, "items": items[start:end]})

    def _log(self, pod: str, query: Mapping[str, str]) -> ApiAnswer:
        before = "_previous" if query.get("previous") == "true" else ""
        text = self.logs.get(f"{pod}_{query.get('container')}{before}")
        if text is None:
            return status(400, f'previous terminated container in pod "{pod}" not found')
        lines = text.splitlines(keepends=True)[-int(query.get("tailLines", "1000")) :]
        body = "".join(line.partition(" ")[2] if line[:2] == "20" else line for line in lines)
        return ApiAnswer(status=200, body=body[: int(query.get("limitBytes", "1000000"))])

    def _patch(self, found: Json, query: Mapping[str, str], patch: Json) -> ApiAnswer:
        self.before_patch(found)
        metadata = patch.get("metadata", {})
        for key in ("uid", "resourceVersion"):
            if metadata.get(key, found["metadata"][key]) != found["metadata"][key]:
                return recorded_answer("patch-stale-resourceversion")
        made = merged(found, patch)
        if query.get("dryRun") == "All":
            return answer(made)
        self.version += 1
        made["metadata"]["resourceVersion"] = str(self.version)
        found.clear()
        found.update(made)
        return answer(found)


def answer(body: Json) -> ApiAnswer:
    return ApiAnswer(status=200, body=copy.deepcopy(body))


def merged(target: Json, patch: Json) -> Json:
    """RFC 7386, as it stands there."""
    if not isinstance(patch, dict):
        return patch
    made = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), value)
    return made


def _matches(found: Json, query: Mapping[str, str]) -> bool:
    labels = found["metadata"].get("labels") or {}
    wanted = [one.split("=") for one in query.get("labelSelector", "").split(",") if one]
    fields = [one.split("=") for one in query.get("fieldSelector", "").split(",") if one]
    return all(labels.get(key) == value for key, value in wanted) and all(
        _field(found, key.split(".")) == value for key, value in fields
    )


def _field(found: Json, path: list[str]) -> str:
    for segment in path:
        found = (found or {}).get(segment)
    return str(found or "")
