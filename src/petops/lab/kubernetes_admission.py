"""What happens to an object before it is stored: it is read, completed, and checked."""

from __future__ import annotations

import copy

from petops.lab import kubernetes_status as says
from petops.lab.chance import Chance
from petops.lab.defaults import event, fill_in
from petops.lab.known_fields import drop_unknown
from petops.lab.kubernetes_request import ApiRequest, Target
from petops.lab.kubernetes_status import ApiError, Cause
from petops.lab.resource_rows import Resource
from petops.lab.shapes import without_nulls, wrong_shape
from petops.lab.store import Json
from petops.lab.validation import bad_lease_time, faults


class Admission:
    """Lets objects in, or says why not."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def read(self, request: ApiRequest, target: Target) -> Json:
        """Return the object of a body, checked against the path that it was sent to."""
        document = request.document()
        if not isinstance(document, dict):
            raise says.bad_request("the object provided is unrecognized (must be of type object)")
        sent: Json = without_nulls(document)
        resource = target.resource
        kind, version = (
            sent.get("kind", resource.kind),
            sent.get("apiVersion", resource.api_version),
        )
        if (kind, version) != (resource.kind, resource.api_version):
            raise says.bad_request(
                f'{kind} in version "{version}" cannot be handled as a {resource.kind}: '
                f'no kind "{kind}" is registered for version "{version}" in scheme'
            )
        metadata = sent.setdefault("metadata", {})
        if why := wrong_shape({"metadata": metadata}, resource.plural):
            raise self._unreadable(resource, why)
        if resource.namespaced:
            if metadata.get("namespace", target.namespace) != target.namespace:
                raise says.bad_request(
                    "the namespace of the provided object does not match the namespace sent on the "
                    "request"
                )
            metadata["namespace"] = target.namespace
        if resource.plural == "leases" and (why := bad_lease_time(sent)):
            raise says.bad_request(why)
        return sent

    def admit(
        self, resource: Resource, before: Json | None, now: Json, *, resizes: bool = False
    ) -> None:
        """Fill in defaults; raise ApiError for what may not be stored."""
        if why := wrong_shape(now, resource.plural):
            raise self._unreadable(resource, why)
        try:
            fill_in(resource.plural, now, self._chance)
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise self._unreadable(resource, str(exc)) from exc
        if resource.plural == "events":
            event(now)
        named = (
            now
            if now["metadata"].get("name")
            else {**now, "metadata": {**now["metadata"], "name": "generated"}}
        )
        kind = "pods/resize" if resizes else resource.plural
        if before is not None and resizes:
            # A pod that was recorded without its defaults has got them just now; none was changed.
            before = copy.deepcopy(before)
            fill_in(resource.plural, before, self._chance)
        found = faults(kind, before, named)
        if found:
            raise says.invalid(resource, now["metadata"].get("name", ""), found)

    def known(self, request: ApiRequest, resource: Resource, sent: Json) -> tuple[str, ...]:
        """Drop unknown fields and return warnings; raise ApiError if the request is strict."""
        mode = request.query.get("fieldValidation") or "Warn"
        found = tuple(f'unknown field "{path}"' for path in drop_unknown(resource.plural, sent))
        if found and mode == "Strict":
            listed = ", ".join(found)
            if request.method == "PATCH":
                cause = Cause("patch", f"Invalid value: strict decoding error: {listed}")
                raise says.invalid_kind("", "", "", [cause])
            raise says.bad_request(
                f'{resource.kind} in version "{resource.version}" cannot be handled as a '
                f"{resource.kind}: strict decoding error: {listed}"
            )
        return found if mode != "Ignore" else ()

    @staticmethod
    def _unreadable(resource: Resource, why: str) -> ApiError:
        return says.bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: {why}"
        )
