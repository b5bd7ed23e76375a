"""What the API server says when it refuses: `Status` objects, worded as a real one words them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from petops.lab.resource_rows import Resource
from petops.lab.store import Json, PreconditionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to do, in authorization's terms; `resource` is `pods` or `pods/log`."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""
    path: str = ""
    """A path that is no resource's, such as `/healthz`; the others are empty then."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong. `reason` is e.g. FieldValueInvalid."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"


class ApiError(Exception):
    """An answer other than success: a `Status`, or plain text where `text` is set."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        text: str = "",
    ) -> None:
        super().__init__(message)
        self.code, self.text = code, text
        self.status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
        }
        if reason:
            self.status["reason"] = reason
        if details is not None:
            self.status["details"] = dict(details)
        self.status["code"] = code


def success(code: int = 200, details: Mapping[str, Any] | None = None) -> Json:
    """Return the `Status` of something that was done and left no object to show."""
    status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details is not None:
        status["details"] = dict(details)
    else:
        status["code"] = code
    return status


def _named(resource: Resource, name: str, kind: str | None = None) -> Json:
    details: Json = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    details["kind"] = kind or resource.plural
    return details


def no_such_path() -> ApiError:
    """An API group that is not served: plain text, no Status."""
    return ApiError(404, "NotFound", "404 page not found", text="404 page not found\n")


def no_such_resource() -> ApiError:
    """A served group, but no such resource in it."""
    message = "the server could not find the requested resource"
    return ApiError(404, "NotFound", message, details={})


def not_found(resource: Resource, name: str) -> ApiError:
    """No object of this name."""
    message = f'{resource.qualified} "{name}" not found'
    return ApiError(404, "NotFound", message, details=_named(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    """An object of this name is there."""
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_named(resource, name))


def modified(resource: Resource, name: str) -> ApiError:
    """The writer had read an older version."""
    message = (
        f'Operation cannot be fulfilled on {resource.qualified} "{name}": the object has been '
        "modified; please apply your changes to the latest version and try again"
    )
    return ApiError(409, "Conflict", message, details=_named(resource, name))


def precondition(resource: Resource, name: str, why: PreconditionError) -> ApiError:
    """The object is another one, or another version, than the caller demands."""
    after = {
        "UID": "The object might have been deleted and then recreated",
        "ResourceVersion": "The object might have been modified",
    }[why.field]
    message = (
        f'Operation cannot be fulfilled on {resource.qualified_kind} "{name}": the {why.field} in '
        f"the precondition ({why.wanted}) does not match the {why.field} in record "
        f"({why.found}). {after}"
    )
    return ApiError(409, "Conflict", message, details=_named(resource, name, resource.kind))


def apply_conflict(conflicts: Sequence[tuple[str, str]]) -> ApiError:
    """Server-side apply met fields of other managers."""
    listed = [f"{who}: {field}" for who, field in conflicts]
    many = "conflict" if len(listed) == 1 else "conflicts"
    shown = listed[0] if len(listed) == 1 else "\n" + "\n".join(f"- {one}" for one in listed)
    causes = [
        {"reason": "FieldManagerConflict", "message": who, "field": field}
        for who, field in conflicts
    ]
    message = f"Apply failed with {len(listed)} {many}: {shown}"
    return ApiError(409, "Conflict", message, details={"causes": causes})


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> ApiError:
    """The object is well-formed and still makes no sense."""
    return invalid_kind(resource.kind, resource.group, name, causes)


def invalid_kind(kind: str, group: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """As `invalid`, for what is no served resource."""
    listed = [f"{cause.field}: {cause.message}" for cause in causes]
    shown = listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
    subject = f"{kind}.{group}" if group else kind
    details: Json = {"name": name} if name else {}
    if group:
        details["group"] = group
    details["kind"] = kind
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes
    ]
    return ApiError(422, "Invalid", f'{subject} "{name}" is invalid: {shown}', details=details)


def unprocessable() -> ApiError:
    """A JSON patch whose `test` fails: the server does not say which."""
    message = "the server rejected our request due to an error in our request"
    return ApiError(422, "Invalid", message, details={})


def bad_request(message: str) -> ApiError:
    """The request cannot be read."""
    return ApiError(400, "BadRequest", message)


def unsupported_media() -> ApiError:
    """A content type that a patch cannot have."""
    message = "415: Unsupported Media Type"
    return ApiError(415, "UnsupportedMediaType", message, details={})


def too_large(most: int) -> ApiError:
    """A body of more bytes than the server takes."""
    message = f"Request entity too large: limit is {most}"
    return ApiError(413, "RequestEntityTooLarge", message, details={})


def method_not_allowed() -> ApiError:
    """This path takes other methods only."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def no_upgrade() -> ApiError:
    """A connection that is to be carried in another protocol, asked for without one."""
    return bad_request("Upgrade request required")


def nothing_runs_inside(sub: str) -> ApiError:
    """Only a lab says this: its containers are figures, with nothing in them to enter."""
    message = f"containers are simulated here: there is nothing that {sub} could reach"
    return ApiError(501, "NotImplemented", message, details={"kind": "pods"})


def unauthorized() -> ApiError:
    """A token that nobody issued."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(user: str, wish: Wish, resource: Resource) -> ApiError:
    """A known user who may not do this."""
    where = f'in the namespace "{wish.namespace}"' if wish.namespace else "at the cluster scope"
    subject = f'{resource.qualified} "{wish.name}"' if wish.name else resource.qualified
    message = (
        f'{subject} is forbidden: User "{user}" cannot {wish.verb} resource "{wish.resource}" '
        f'in API group "{resource.group}" {where}'
    )
    return ApiError(403, "Forbidden", message, details=_named(resource, wish.name))


def forbidden_impersonation(user: str, wanted: str) -> ApiError:
    """Somebody who may not act for others."""
    message = (
        f'users "{wanted}" is forbidden: User "{user}" cannot impersonate resource "users" '
        'in API group "" at the cluster scope'
    )
    return ApiError(403, "Forbidden", message, details={"name": wanted, "kind": "users"})


def forbidden_by_admission(resource: Resource, name: str, message: str) -> ApiError:
    """Admission turns an object down."""
    return ApiError(403, "Forbidden", message, details=_named(resource, name))


def unreachable_kubelet(message: str) -> ApiError:
    """A node's kubelet does not answer."""
    return ApiError(500, "", message)


def disruption_refused(budget: str, needed: int, healthy: int) -> ApiError:
    """A PodDisruptionBudget stands against an eviction."""
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    why = f"The disruption budget {budget} needs {needed} healthy pods and has {healthy} currently"
    cause = {"reason": "DisruptionBudget", "message": why}
    return ApiError(429, "TooManyRequests", message, details={"causes": [cause]})


def version_from_the_future(wanted: int, current: int) -> ApiError:
    """A list not older than a version that does not exist yet."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return ApiError(504, "Timeout", message, details={"causes": [cause], "retryAfterSeconds": 1})


def expired(message: str) -> ApiError:
    """The changes, or the rest of the list, are no longer kept."""
    return ApiError(410, "Expired", message)
