"""In which form an object is shown: as it is, as metadata only, or as a row of a table.

Stored objects carry no `kind` and `apiVersion`; single objects get them here, items of lists do
not. Events are stored as core/v1 has them and shown as events.k8s.io/v1 where they are asked for
there; autoscalers are stored as of v2 and shown as of v1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from petops.lab import autoscaling_v1 as autoscaling
from petops.lab.kubernetes_request import JSON_TYPE, ApiRequest
from petops.lab.kubernetes_tables import columns, row
from petops.lab.resource_rows import Resource
from petops.lab.store import Json

_FORMS: Final = ("", "Table", "PartialObjectMetadata", "PartialObjectMetadataList")
_AS_NEW_EVENT: Final[Mapping[str, str]] = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_AS_OLD_EVENT: Final = {new: old for old, new in _AS_NEW_EVENT.items()}


def shown(resource: Resource, found: Json) -> Json:
    """Return a whole object, with kind and apiVersion."""
    return {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        **in_version(resource, found),
    }


def stored_form(resource: Resource, sent: Json) -> Json:
    """Return an object as the store keeps it."""
    kept = {name: value for name, value in sent.items() if name not in {"kind", "apiVersion"}}
    if resource.group == "events.k8s.io":
        return {_AS_OLD_EVENT.get(name, name): value for name, value in kept.items()}
    if (resource.api_version, resource.plural) == autoscaling.OLD:
        return autoscaling.from_old(kept)
    return kept


def in_version(resource: Resource, found: Json) -> Json:
    """Return an object as its group shows it."""
    if resource.group == "events.k8s.io":
        return {_AS_NEW_EVENT.get(name, name): value for name, value in found.items()}
    if (resource.api_version, resource.plural) == autoscaling.OLD:
        return autoscaling.as_old(found)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How a caller wants objects shown; `include` is how much of them a table's rows carry."""

    form: str = ""
    include: str = ""

    @classmethod
    def of(cls, request: ApiRequest) -> View:
        """Return what the request accepts."""
        form = _wanted(request.headers.get("accept", ""))
        return cls(form=form, include=request.query.get("includeObject", ""))

    def one(self, resource: Resource, found: Json, now: datetime) -> Json:
        """Show a single object, of a get or of a watch."""
        if self.form == "Table":
            return self._table(resource, [found], {}, now)
        if self.form.startswith("PartialObjectMetadata"):
            return _as_partial(found)
        return shown(resource, found)

    def many(
        self, resource: Resource, found: Iterable[Json], metadata: Json, now: datetime
    ) -> Json:
        """Show a list."""
        if self.form == "Table":
            return self._table(resource, found, metadata, now)
        if self.form.startswith("PartialObjectMetadata"):
            return {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": [_as_partial(one) for one in found],
            }
        return {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": metadata,
            "items": [in_version(resource, one) for one in found],
        }

    def _table(
        self, resource: Resource, found: Iterable[Json], metadata: Json, now: datetime
    ) -> Json:
        rows = []
        for one in found:
            metadata = metadata or {"resourceVersion": one["metadata"].get("resourceVersion", "")}
            entry: Json = {"cells": row(resource, one, now)}
            if self.include == "Object":
                entry["object"] = shown(resource, one)
            elif self.include != "None":
                entry["object"] = _as_partial(one)
            rows.append(entry)
        return {
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "columnDefinitions": columns(resource),
            "rows": rows,
        }


def _wanted(accept: str) -> str:
    for choice in accept.split(","):
        kind, *parameters = (part.strip() for part in choice.split(";"))
        asked = dict(part.partition("=")[::2] for part in parameters)
        if kind in {JSON_TYPE, "*/*"} and asked.get("as", "") in _FORMS:
            return asked.get("as", "")
    return ""


def _as_partial(found: Json) -> Json:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": found["metadata"],
    }
