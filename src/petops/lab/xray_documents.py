"""Traces as X-Ray's segment documents: what an SDK sends, and what X-Ray infers from it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from petops.lab.call_paths import Dependency
from petops.lab.spans import Outgoing, Span, Trace
from petops.lab.xray_parts import CONTAINER, USER_AGENT, Surroundings, annotated

Json = dict[str, Any]

_QUEUE_HOST: Final = "https://sqs.{region}.amazonaws.com/{account}/{name}"
_REFUSED: Final = "dial tcp: connect: connection refused"


def documents(trace: Trace, around: Surroundings) -> Iterator[Json]:
    """Yield a trace's whole segments, callers first, and after each what it was inferred of."""
    for span in trace.root.walk():
        yield _segment(trace, span, around)
        for call in span.calls:
            if isinstance(call.to, Dependency):
                yield _inferred(trace, call, call.to, around)


def _segment(trace: Trace, span: Span, around: Surroundings) -> Json:
    run = span.by.run
    machine = around.machine(run.node)
    made: Json = {
        "id": span.id,
        "name": span.operation.service,
        "trace_id": trace.id,
        "start_time": round(span.start, 6),
        "end_time": round(span.end, 6),
        "http": {
            "request": {"url": around.url(span), "method": span.operation.method},
            "response": {"status": 500 if span.failed else 200, "content_length": 4200},
        },
        "aws": {
            "eks": {
                "cluster_name": around.cluster.name,
                "pod": run.pod,
                "container_id": run.container_id,
            },
            "ec2": {"instance_id": machine.instance, "availability_zone": machine.zone},
            "xray": {"sdk": "opentelemetry for lab", "auto_instrumentation": True},
        },
        "service": {"version": run.program.environment.get("APP_VERSION", "")},
        "annotations": annotated(run, around.cluster.name),
        "metadata": {
            "default": {
                "k8s.namespace.name": run.namespace,
                "k8s.pod.name": run.pod,
                "k8s.node.name": run.node,
                "k8s.container.name": run.container,
            }
        },
        "origin": CONTAINER,
    }
    if span.parent is None:
        made["http"]["request"] |= {"user_agent": USER_AGENT, "client_ip": "10.0.64.14"}
    else:
        made["parent_id"] = span.parent
    if span.failed:
        made |= {"fault": True, "cause": _cause(span)}
    if span.calls:
        made["subsegments"] = [_subsegment(call, span, around) for call in span.calls]
    return made


def _cause(span: Span) -> Json:
    """Say what went wrong: here, or in the call that failed."""
    found = next((call for call in span.calls if call.failed and call.essential), None)
    if span.failed_itself or found is None:
        message, kind, remote = "internal error", "HandlerError", False
    else:
        message, kind, remote = f"call to {_name(found)} failed", "UpstreamError", True
    return {
        "working_directory": "/app",
        "exceptions": [
            {"id": _own_id(span.id, "cause"), "message": message, "type": kind, "remote": remote}
        ],
    }


def _subsegment(call: Outgoing, caller: Span, around: Surroundings) -> Json:
    made: Json = {
        "id": call.id,
        "name": _name(call),
        "start_time": round(call.start, 6),
        "end_time": round(call.end, 6),
        "namespace": "remote",
    }
    if isinstance(call.to, Dependency):
        made |= _of_dependency(call, call.to, around)
    else:
        space = caller.by.run.namespace
        url = f"http://{call.to.service}.{space}.svc.cluster.local{call.to.path}"
        made["http"] = {"request": {"url": url, "method": call.to.method}}
        if not call.refused:
            made["http"]["response"] = {"status": 500 if call.failed else 200}
    if call.failed:
        made["fault"] = True
    if call.refused:
        cause = {
            "id": _own_id(call.id, "cause"),
            "message": _REFUSED,
            "type": "ConnectError",
            "remote": False,
        }
        made["cause"] = {"working_directory": "/app", "exceptions": [cause]}
    return made


def _of_dependency(call: Outgoing, to: Dependency, around: Surroundings) -> Json:
    """Return what a subsegment, and the segment that is inferred of it, say of the other side."""
    if to.namespace != "aws":
        user, _, host = to.name.partition("@")
        sql = {
            "url": f"jdbc:postgresql://{host}:5432/{user}",
            "database_type": "PostgreSQL",
            "database_version": "15.4",
            "user": "petadoption",
            "sanitized_query": f"{to.operation} * FROM {to.resource}",
        }
        return {"sql": sql}
    aws: Json = {
        "operation": to.operation,
        "region": around.cluster.region,
        "request_id": _own_id(call.id, "request").upper(),
        "retries": 0,
    }
    if to.name == "SQS":
        place = around.cluster
        aws["queue_url"] = _QUEUE_HOST.format(
            region=place.region, account=place.account, name=to.resource
        )
    else:
        aws["table_name"] = to.resource
    response = {"status": 500 if call.failed else 200, "content_length": 62}
    return {"namespace": "aws", "aws": aws, "http": {"response": response}}


def _inferred(trace: Trace, call: Outgoing, to: Dependency, around: Surroundings) -> Json:
    made: Json = {
        "id": _own_id(call.id, "inferred"),
        "name": to.name,
        "trace_id": trace.id,
        "parent_id": call.id,
        "start_time": round(call.start, 6),
        "end_time": round(call.end, 6),
        "inferred": True,
        "origin": to.origin,
        **_of_dependency(call, to, around),
    }
    made.pop("namespace", None)
    if call.failed:
        made["fault"] = True
    return made


def _name(call: Outgoing) -> str:
    return call.to.name if isinstance(call.to, Dependency) else call.to.service


def _own_id(*key: str) -> str:
    return hashlib.blake2b("/".join(key).encode(), digest_size=8).hexdigest()
