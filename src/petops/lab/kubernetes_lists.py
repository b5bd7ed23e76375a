"""Reading: one object, a list of them in pages, by label and field."""

from __future__ import annotations

import base64
import binascii
import json
from collections import OrderedDict
from datetime import datetime
from typing import Final

from petops.lab import kubernetes_status as says
from petops.lab.fragments import Fragments
from petops.lab.kubernetes_forms import View
from petops.lab.kubernetes_request import ApiAnswer, ApiRequest, Target
from petops.lab.kubernetes_status import ApiError
from petops.lab.resources import stored
from petops.lab.selectors import Matches, SelectorError, field_selector, label_selector
from petops.lab.store import Json, ObjectStore, key_of

KEPT_SNAPSHOTS: Final = 32


def matcher(request: ApiRequest, target: Target) -> Matches:
    """Return what tells which objects a request is about; raise ApiError for a bad selector."""
    name = f"metadata.name={target.name}" if target.name else ""
    try:
        by_label = label_selector(request.query.get("labelSelector", ""))
        by_field = field_selector(request.query.get("fieldSelector", ""), target.resource.plural)
        by_name = field_selector(name, target.resource.plural)
    except SelectorError as exc:
        raise says.bad_request(str(exc)) from exc

    def matches(found: Json) -> bool:
        place = found["metadata"].get("namespace") or ""
        here = not target.namespace or place == target.namespace
        return here and by_label(found) and by_field(found) and by_name(found)

    return matches


class Reader:
    """Answers GET. It keeps lists that are being read in pages: all pages are of one moment."""

    def __init__(self, store: ObjectStore) -> None:
        self._store, self._fragments = store, Fragments()
        self._snapshots: OrderedDict[tuple[str, int], list[Json]] = OrderedDict()

    def prepare(self) -> None:
        """Have the pods' text ready, so that even a first list of thousands is quick."""
        self._fragments.prepare(stored("pods"), self._store.objects("pods"))

    def get(self, request: ApiRequest, target: Target, now: datetime) -> ApiAnswer:
        """Return one object in the form that the request accepts."""
        found = self._store.find(target.resource.plural, target.namespace, target.name)
        if found is None:
            raise says.not_found(target.resource, target.name)
        return ApiAnswer.of(View.of(request).one(target.resource, found, now))

    def select(self, request: ApiRequest, target: Target, now: datetime) -> ApiAnswer:
        """Return what the request selects, or a page of it."""
        matches = matcher(request, target)
        self._check_version(request)
        version, start = self._position(request)
        place = target.namespace if version == self._store.version else ""
        everything = self._snapshot(target.resource.plural, version, place)
        found = [
            one for one in everything if matches(one) and (start is None or key_of(one) > start)
        ]
        metadata: Json = {"resourceVersion": str(version)}
        limit = request.number("limit")
        if limit and limit > 0 and len(found) > limit:
            rest = len(found) - limit
            found = found[:limit]
            self._keep(target.resource.plural, version, place, everything)
            metadata["continue"] = _token(version, key_of(found[-1]))
            if not request.query.get("labelSelector") and not request.query.get("fieldSelector"):
                metadata["remainingItemCount"] = rest
        view = View.of(request)
        if not view.form:
            return ApiAnswer.raw(self._fragments.listed(target.resource, found, metadata))
        return ApiAnswer.of(view.many(target.resource, found, metadata, now))

    def _check_version(self, request: ApiRequest) -> None:
        wanted = request.number("resourceVersion")
        if wanted is not None and wanted > self._store.version:
            raise says.version_from_the_future(wanted, self._store.version)
        if (
            wanted
            and request.query.get("resourceVersionMatch") == "Exact"
            and wanted < self._store.oldest
        ):
            raise says.expired(f"The provided resource version is too old: {wanted}")

    def _position(self, request: ApiRequest) -> tuple[int, tuple[str, str] | None]:
        token = request.query.get("continue", "")
        if not token:
            return self._store.version, None
        try:
            read = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            namespace, _, name = read["start"].rstrip("\0").rpartition("/")
            return int(read["rv"]), (namespace, name)
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as exc:
            raise says.bad_request(
                f"invalid continue token: continue key is not valid: {exc}"
            ) from exc

    def _snapshot(self, resource: str, version: int, namespace: str) -> list[Json]:
        if version == self._store.version:
            return sorted(self._store.objects(resource, namespace), key=key_of)
        try:
            return self._snapshots[resource, version]
        except KeyError:
            raise ApiError(
                410,
                "Expired",
                "The provided continue parameter is too old to display a consistent list result. "
                "You can start a new list without the continue parameter.",
            ) from None

    def _keep(self, resource: str, version: int, namespace: str, found: list[Json]) -> None:
        if namespace:  # what reads on may ask for another namespace
            found = sorted(self._store.objects(resource), key=key_of)
        self._snapshots[resource, version] = found
        while len(self._snapshots) > KEPT_SNAPSHOTS:
            self._snapshots.popitem(last=False)


def _token(version: int, key: tuple[str, str]) -> str:
    start = "/".join(filter(None, key)) + "\0"
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
