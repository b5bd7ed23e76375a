"""Traces in brief, as GetTraceSummaries lists them, with what was at the root of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from petops.lab.call_paths import Dependency
from petops.lab.spans import Outgoing, Span, Trace
from petops.lab.xray_parts import CONTAINER, REMOTE, USER_AGENT, Part, Surroundings

Json = dict[str, Any]

_CLIENT_ADDRESS: Final = "10.0.64.14"


def service_id(name: str, kind: str, account: str) -> Json:
    """Return how X-Ray names a service."""
    return {"Name": name, "Names": [name], "AccountId": account, "Type": kind}


def summary(trace: Trace, found: Sequence[Part], around: Surroundings) -> Json:
    """Return a trace in brief; `found` are its parts."""
    root, account = trace.root, around.cluster.account
    services = {(part.name, part.type): None for part in found}
    instances = {part.instance: None for part in found if part.instance}
    zones = {part.zone: None for part in found if part.zone}
    return {
        "Id": trace.id,
        "StartTime": root.start,
        "MatchedEventTime": root.end,
        "Duration": round(root.seconds, 3),
        "ResponseTime": round(root.seconds, 3),
        "HasFault": root.failed,
        "HasError": False,
        "HasThrottle": False,
        "IsPartial": False,
        "Http": {
            "HttpURL": around.url(root),
            "HttpStatus": 500 if root.failed else 200,
            "HttpMethod": root.operation.method,
            "UserAgent": USER_AGENT,
            "ClientIp": _CLIENT_ADDRESS,
        },
        "Annotations": _annotations(found, account),
        "Users": [],
        "ServiceIds": [service_id(*one, account) for one in services],
        "ResourceARNs": [],
        "InstanceIds": [{"Id": one} for one in instances],
        "AvailabilityZones": [{"Name": one} for one in zones],
        "EntryPoint": service_id(root.operation.service, CONTAINER, account),
        "FaultRootCauses": [_faults(root, account)] if root.failed else [],
        "ErrorRootCauses": [],
        "ResponseTimeRootCauses": [_slowness(root, account)],
        "Revision": 1,
    }


def _annotations(found: Sequence[Part], account: str) -> Json:
    """Return each annotation's values, with the services that they stand at."""
    values: dict[str, dict[str, list[Json]]] = {}
    for part in found:
        named = service_id(part.name, part.type, account)
        for key, value in part.annotations.items():
            services = values.setdefault(key, {}).setdefault(value, [])
            if named not in services:
                services.append(named)
    return {
        key: [
            {"AnnotationValue": {"StringValue": value}, "ServiceIds": services}
            for value, services in of_key.items()
        ]
        for key, of_key in values.items()
    }


def _faults(root: Span, account: str) -> Json:
    """Follow the calls that failed down to where it began."""
    services: list[Json] = []
    span: Span | None = root
    while span is not None:
        bad = _first(span.calls, lambda call: call.failed and call.essential)
        own = span.failed_itself or bad is None
        what = "internal error" if own else "an upstream call failed"
        exceptions = [{"Name": "HandlerError" if own else "UpstreamError", "Message": what}]
        path = [{"Name": span.operation.service, "Exceptions": exceptions, "Remote": False}]
        services.append(_cause(span.operation.service, CONTAINER, account, path))
        if own or bad is None:
            break
        if bad.answered is None:
            name, kind = _outside(bad)
            services.append(_cause(name, kind, account, [{"Name": name, "Remote": True}], True))
        span = bad.answered
    return {"Services": services, "ClientImpacting": True}


def _slowness(root: Span, account: str) -> Json:
    """Follow the call that took the most down to where no call takes half of the time."""
    services: list[Json] = []
    span: Span | None = root
    while span is not None:
        longest = max(span.calls, key=lambda call: call.seconds, default=None)
        calls = longest is not None and longest.seconds > span.seconds / 2
        coverage = longest.seconds / span.seconds if calls and longest else 1.0
        path = [{"Name": span.operation.service, "Coverage": round(coverage, 3), "Remote": False}]
        services.append(_cause(span.operation.service, CONTAINER, account, path))
        if not calls or longest is None:
            break
        if longest.answered is None:
            name, kind = _outside(longest)
            path = [{"Name": name, "Coverage": 1.0, "Remote": True}]
            services.append(_cause(name, kind, account, path, True))
        span = longest.answered
    return {"Services": services, "ClientImpacting": True}


def _first(calls: Sequence[Outgoing], wanted: Callable[[Outgoing], bool]) -> Outgoing | None:
    return next(filter(wanted, calls), None)


def _outside(call: Outgoing) -> tuple[str, str]:
    if isinstance(call.to, Dependency):
        return call.to.name, call.to.origin
    return call.to.service, REMOTE


def _cause(name: str, kind: str, account: str, path: list[Json], inferred: bool = False) -> Json:
    return {**service_id(name, kind, account), "EntityPath": path, "Inferred": inferred}
