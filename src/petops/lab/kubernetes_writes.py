"""Writing: create, update, the four kinds of patch; and dry runs of them, which store nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from petops.lab import kubernetes_status as says
from petops.lab import server_side_apply as ownership
from petops.lab.chance import Chance
from petops.lab.kubernetes_admission import Admission
from petops.lab.kubernetes_charges import Charges
from petops.lab.kubernetes_forms import stored_form
from petops.lab.kubernetes_request import ApiRequest, Target
from petops.lab.kubernetes_status import Cause
from petops.lab.kubernetes_write_parts import metadata_of, same
from petops.lab.patching import (
    PatchError,
    TestFailedError,
    json_patch,
    merge_patch,
    strategic_merge,
)
from petops.lab.quantities import stamp
from petops.lab.resource_rows import Resource
from petops.lab.shapes import without_nulls
from petops.lab.store import (
    AlreadyThereError,
    Json,
    NoSuchObjectError,
    ObjectStore,
    PreconditionError,
    StaleWriteError,
    clone,
    key_of,
)

APPLY_TYPE: Final = "application/apply-patch+yaml"
_SERVER_OWNED: Final = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
_PATCHES: Final[dict[str, Callable[[Json, Any], Json]]] = {
    "application/json-patch+json": json_patch,
    "application/merge-patch+json": merge_patch,
    "application/strategic-merge-patch+json": strategic_merge,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a write left: the object, whether it is new, and what the writer should know."""

    found: Json
    created: bool = False
    warnings: tuple[str, ...] = ()


@contextlib.contextmanager
def said_by_store(resource: Resource, name: str) -> Iterator[None]:
    """Say what the store refuses in Kubernetes' words."""
    try:
        yield
    except NoSuchObjectError as exc:
        raise says.not_found(resource, name) from exc
    except AlreadyThereError as exc:
        raise says.already_exists(resource, name) from exc
    except StaleWriteError as exc:
        raise says.modified(resource, name) from exc
    except PreconditionError as exc:
        raise says.precondition(resource, name, exc) from exc


class Writer:
    """Changes objects in the store, on behalf of requests."""

    def __init__(self, store: ObjectStore, chance: Chance, now: Callable[[], datetime]) -> None:
        self._store, self._chance, self._now = store, chance, now
        self._admission = Admission(chance)
        self._charges = Charges(store)

    def create(self, request: ApiRequest, target: Target) -> Written:
        """Store a new object."""
        resource = target.resource
        sent = self._admission.read(request, target)
        name = sent["metadata"].get("name") or ""
        if not name and not sent["metadata"].get("generateName"):
            cause = Cause(
                "metadata.name",
                "Required value: name or generateName is required",
                "FieldValueRequired",
            )
            raise says.invalid(resource, "", [cause])
        if target.namespace and self._store.find("namespaces", "", target.namespace) is None:
            raise says.not_found(_NAMESPACES, target.namespace)
        if self._store.find(resource.plural, target.namespace, name) is not None:
            raise says.already_exists(resource, name)
        for field in (*_SERVER_OWNED, "resourceVersion", "managedFields"):
            sent["metadata"].pop(field, None)
        self._identify(resource, sent)
        warnings = self._admission.known(request, resource, sent)
        made = stored_form(resource, sent)
        self._charges.charge(resource, made)
        self._admission.admit(resource, None, made)
        ownership.note_update(None, made, self._signed(request, resource))
        return Written(
            found=self._store_new(resource, made, dry=request.is_dry_run),
            created=True,
            warnings=warnings,
        )

    def _identify(self, resource: Resource, sent: Json) -> None:
        """A Job's selector is made of its uid, which is why it has one before it is stored."""
        if resource.plural == "jobs":
            if not sent["metadata"].get("name"):
                sent["metadata"]["name"] = self._store.generated(resource.plural, sent["metadata"])
            sent["metadata"]["uid"] = self._store.next_uid(resource.plural, sent)

    def update(self, request: ApiRequest, target: Target) -> Written:
        """Replace an object, or its status."""
        resource = target.resource
        before = self._find(target)
        sent = self._admission.read(request, target)
        if sent["metadata"].get("name", target.name) != target.name:
            raise says.bad_request(
                f"the name of the object ({sent['metadata']['name']}) does not match the name "
                f"on the URL ({target.name})"
            )
        warnings = self._admission.known(request, resource, sent)
        return self._change(request, target, before, stored_form(resource, sent), warnings)

    def patch(self, request: ApiRequest, target: Target) -> Written:
        """Change an object as one of the four kinds of patch says."""
        if request.content_type == APPLY_TYPE:
            return self._apply(request, target)
        patcher = _PATCHES.get(request.content_type)
        if patcher is None:
            raise says.unsupported_media()
        patch = request.document()
        before = self._find(target)
        after = self.patched(patcher, before, patch)
        warnings = self._admission.known(request, target.resource, after)
        return self._change(request, target, before, stored_form(target.resource, after), warnings)

    @staticmethod
    def patched(patcher: Callable[[Json, Any], Json], before: Json, patch: object) -> Json:
        """Return a patched object; raise ApiError where the patch does not fit."""
        if patcher is not json_patch and not isinstance(patch, dict):
            raise says.bad_request(
                "json: cannot unmarshal array into Go value of type map[string]interface {}"
            )
        try:
            after: Json = without_nulls(patcher(before, patch))
        except TestFailedError as exc:
            raise says.unprocessable() from exc
        except (PatchError, AttributeError, TypeError, KeyError) as exc:
            raise says.bad_request(str(exc)) from exc
        if not isinstance(after.get("metadata"), dict):
            raise says.bad_request("the patch leaves no metadata")
        return after

    def _apply(self, request: ApiRequest, target: Target) -> Written:
        resource = target.resource
        if not request.query.get("fieldManager"):
            cause = Cause(
                "fieldManager", "Required value: is required for apply patch", "FieldValueRequired"
            )
            raise says.invalid_kind("PatchOptions", "meta.k8s.io", "", [cause])
        sent = self._admission.read(
            ApiRequest(**{**_parts(request), "headers": {"content-type": "application/yaml"}}),
            target,
        )
        sent["metadata"].setdefault("name", target.name)
        warnings = self._admission.known(request, resource, sent)
        before = self._store.find(resource.plural, target.namespace, target.name)
        if before is None:
            self._identify(resource, sent)
        signed = self._signed(request, resource)
        try:
            now = ownership.apply(
                before, stored_form(resource, sent), signed, force=request.flag("force")
            )
        except ownership.ApplyConflictError as exc:
            raise says.apply_conflict(exc.conflicts) from exc
        if before is None:
            self._charges.charge(resource, now)
            self._admission.admit(resource, None, now)
            return Written(
                found=self._store_new(resource, now, dry=request.is_dry_run),
                created=True,
                warnings=warnings,
            )
        return self._change(request, target, before, now, warnings, noted=True)

    def replace(self, request: ApiRequest, target: Target, before: Json, now: Json) -> Written:
        """Store what a subresource makes of an object."""
        return self._change(request, target, before, now, ())

    def _change(
        self,
        request: ApiRequest,
        target: Target,
        before: Json,
        now: Json,
        warnings: tuple[str, ...],
        *,
        noted: bool = False,
    ) -> Written:
        resource = target.resource
        now = clone(now)
        self._keep_identity(resource, before, now)
        if target.sub == "status":
            now = {
                **clone(before),
                "status": now.get("status", {}),
                "metadata": metadata_of(before, now),
            }
        elif "status" in resource.subresources or "status" in before:
            now["status"] = clone(before.get("status", {}))
            if "status" not in before:
                del now["status"]
        self._admission.admit(resource, before, now, resizes=target.sub == "resize")
        if not noted:
            ownership.note_update(before, now, self._signed(request, resource, target.sub))
        with said_by_store(resource, target.name):
            version = now["metadata"].get("resourceVersion")
            if version and version != before["metadata"]["resourceVersion"]:
                raise StaleWriteError(target.name)
            if request.is_dry_run:
                if "generation" in before["metadata"]:
                    moved = now.get("spec") != before.get("spec")
                    now["metadata"]["generation"] = before["metadata"]["generation"] + int(moved)
                now["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
                return Written(found=now, warnings=warnings)
            if same(before, now):
                return Written(found=before, warnings=warnings)
            stored = self._store.update(resource.plural, now)
            if "deletionTimestamp" in stored["metadata"] and not stored["metadata"].get(
                "finalizers"
            ):
                stored = self._finish(resource, stored)
            return Written(found=stored, warnings=warnings)

    def _finish(self, resource: Resource, found: Json) -> Json:
        """What waits for its finalizers goes with the last of them; a pod goes with its kubelet."""
        if resource.plural == "pods" and found["spec"].get("nodeName"):
            return found
        return self._store.delete(resource.plural, *key_of(found))

    def _keep_identity(self, resource: Resource, before: Json, now: Json) -> None:
        metadata, old = now["metadata"], before["metadata"]
        uid = metadata.get("uid")
        if uid and uid != old["uid"]:
            raise says.precondition(
                resource, old["name"], PreconditionError("UID", uid, old["uid"])
            )
        for field in ("name", "namespace", *_SERVER_OWNED):
            if field in old:
                metadata[field] = old[field]
            else:
                metadata.pop(field, None)
        if "managedFields" not in metadata and "managedFields" in old:
            metadata["managedFields"] = clone(old["managedFields"])

    def _find(self, target: Target) -> Json:
        with said_by_store(target.resource, target.name):
            return self._store.get(target.resource.plural, target.namespace, target.name)

    def _store_new(self, resource: Resource, made: Json, *, dry: bool) -> Json:
        if not dry:
            with said_by_store(resource, made["metadata"].get("name", "")):
                return self._store.create(resource.plural, made)
        metadata = made["metadata"]
        metadata["uid"] = self._chance.uid(
            "dry", resource.plural, metadata.get("name"), self._store.version
        )
        metadata["creationTimestamp"] = stamp(self._now())
        return made

    def _signed(self, request: ApiRequest, resource: Resource, sub: str = "") -> ownership.Writer:
        return ownership.Writer(
            manager=request.manager,
            at=stamp(self._now()),
            api_version=resource.api_version,
            subresource=sub,
        )


_NAMESPACES: Final = Resource(plural="namespaces", kind="Namespace", namespaced=False)


def _parts(request: ApiRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "body": request.body,
    }
