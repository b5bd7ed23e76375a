"""Gives everything in a case another name: workloads, pods, labels, images, namespaces, nodes.

Names are replaced where they stand as whole words in values, never in keys: `app` in
`app.kubernetes.io/name` is Kubernetes' own word.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

from petops.lab.exposition import Sample
from tests.adapters.fake_kubernetes_api import FakeApi
from tests.recorded import RecordedMetrics

Json = Any
_KEPT = {"default", "kubernetes", "kube-system", "http"}


class Renaming:
    """One consistent set of new names for the objects of an API."""

    def __init__(self, api: FakeApi) -> None:
        self._names: dict[str, str] = {}
        objects = [one for folder in api.objects.values() for one in folder.values()]
        for one in objects:
            metadata = one["metadata"]
            if "involvedObject" in one:
                self._know(
                    one["involvedObject"].get("name"), one["involvedObject"].get("namespace")
                )
                continue
            self._know(metadata["name"], metadata.get("namespace"))
            self._know(*(metadata.get("labels") or {}).values())
            for container in _containers(one):
                self._know(container["name"], *container.get("image", "").split(":"))
                self._know(*container.get("image", "").partition("/")[::2])
        words = sorted((name for name in self._names if name), key=len, reverse=True)
        edge = r"(?<![A-Za-z0-9.-]){}(?![A-Za-z0-9-]|\.[a-z])"
        self._pattern = re.compile("|".join(edge.format(re.escape(word)) for word in words))

    def _know(self, *names: str | None) -> None:
        for name in names:
            if name and name not in _KEPT and not name.isdigit() and len(name) > 1:
                self._names.setdefault(name, _made(name))

    def text(self, text: str) -> str:
        """The text with every known name replaced."""
        return self._pattern.sub(lambda found: self._names[found[0]], text)

    def value(self, value: Json, key: str = "") -> Json:
        """A JSON value with every known name replaced; words of Kubernetes stay."""
        if isinstance(value, dict):
            return {name: self.value(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [self.value(one, key) for one in value]
        kept = key in {"type", "reason", "kind", "phase", "key", "status", "uid", "controller"}
        return self.text(value) if isinstance(value, str) and not kept else value

    def api(self, before: FakeApi) -> FakeApi:
        made = FakeApi()
        made.objects = {
            _in_namespace(folder, self): {
                self.text(name): self.value(one) for name, one in objects.items()
            }
            for folder, objects in before.objects.items()
        }
        made.logs = {
            "_".join(self.text(part) for part in name.split("_")): self.text(log)
            for name, log in before.logs.items()
        }
        return made

    def metrics(self, before: RecordedMetrics) -> RecordedMetrics:
        before._samples = list(self._renamed(before._samples))
        return before

    def _renamed(self, samples: Iterable[Sample]) -> Iterable[Sample]:
        for one in samples:
            labels = tuple((key, self.text(value)) for key, value in one.labels)
            yield one._replace(labels=labels)

    def document(self, text: str) -> str:
        found = json.loads(text)
        for alert in found.get("alerts", ()):
            names = alert["labels"]
            alert["labels"] = {
                key: value if key in {"alertname", "severity", "condition"} else self.text(value)
                for key, value in names.items()
            }
        if "detail" in found:
            found["detail"] = self.value(found["detail"])
        return json.dumps(found)


def _in_namespace(folder: str, names: Renaming) -> str:
    """A folder of the API with its namespace's new name: a workload may be called `api` too."""
    before, mark, rest = folder.partition("/namespaces/")
    namespace, slash, kind = rest.partition("/")
    return f"{before}{mark}{names.text(namespace)}{slash}{kind}" if mark else folder


def _made(name: str) -> str:
    """A name of the same shape: a pod's random end stays one, an address stays one."""
    if "." in name or "/" in name:
        parts = re.split(r"([./])", name)
        return "".join(part if part in {".", "/"} or not part else _word(part) for part in parts)
    stem, dash, end = name.rpartition("-")
    if dash and re.fullmatch(r"[bcdfghjklmnpqrstvwxz2456789]{5,10}", end):
        return f"{_made(stem)}-{end}"
    return _word(name)


def _word(word: str) -> str:
    if re.fullmatch(r"[bcdfghjklmnpqrstvwxz2456789]{5,10}", word):
        return word  # a template's hash, which stands in names as well
    return "q" + hashlib.sha256(word.encode()).hexdigest()[:7]


def _containers(found: Json) -> list[Json]:
    spec = found.get("spec") or {}
    template = (spec.get("template") or {}).get("spec") or spec
    containers: list[Json] = template.get("containers") or []
    return containers
