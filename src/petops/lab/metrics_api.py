"""The group metrics.k8s.io, as metrics-server serves it: `kubectl top` reads it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from petops.lab import kubernetes_status as says
from petops.lab.kubernetes_lists import matcher
from petops.lab.kubernetes_request import ApiAnswer, ApiRequest, Target
from petops.lab.resource_metrics import ResourceMetrics

GROUP: Final = "metrics.k8s.io"


def answer(
    metrics: ResourceMetrics | None, request: ApiRequest, target: Target, now: datetime
) -> ApiAnswer:
    """Answer a get or a list; raise ApiError where there is no metrics-server."""
    if metrics is None:
        raise says.no_such_path()
    resource = target.resource
    if request.method not in {"GET", "HEAD"}:
        raise says.method_not_allowed()
    found = metrics.pods() if resource.plural == "pods" else metrics.nodes(now)
    matches = matcher(request, target)
    items = [one for one in found if matches(one)]
    if not target.name:
        head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
        return ApiAnswer.of({**head, "metadata": {}, "items": items})
    if not items:
        raise says.not_found(resource, target.name)
    head = {"kind": resource.kind, "apiVersion": resource.api_version}
    return ApiAnswer.of({**head, **items[0]})
