"""kube-state-metrics as text, each object's lines written once: objects never change in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from petops.lab.exposition import family_of, kind_of, line
from petops.lab.kube_state_metrics import EXPORTED

Json = Mapping[str, Any]
Lines = tuple[tuple[str, str], ...]
"""Each family's name with the object's lines of it."""

_HEAD: Final = "# TYPE {family} {kind}\n"


class KubeStateText:
    """Remembers the lines of every object that is still there."""

    def __init__(self) -> None:
        self._written: dict[int, tuple[Json, Lines]] = {}

    def render(self, objects: Callable[[str], Iterable[Json]]) -> str:
        """Write the metrics of all objects, a family's lines together under its type."""
        families: dict[str, list[str]] = {}
        fresh: dict[int, tuple[Json, Lines]] = {}
        for resource, export in EXPORTED.items():
            for item in objects(resource):
                known = self._written.get(id(item))
                if known is None or known[0] is not item:
                    known = (item, _lines(export(item)))
                fresh[id(item)] = known
                for family, text in known[1]:
                    families.setdefault(family, []).append(text)
        self._written = fresh
        return "".join(
            _HEAD.format(family=family, kind=kind_of(family, family)) + "".join(texts)
            for family, texts in families.items()
        )


def _lines(samples: Iterable[Any]) -> Lines:
    families: dict[str, list[str]] = {}
    for sample in samples:
        families.setdefault(family_of(sample.name), []).append(line(sample))
    return tuple((family, "".join(texts)) for family, texts in families.items())
