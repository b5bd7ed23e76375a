"""The recorded story, with a slow request, the service graph, log lines and a runbook beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from petops.domain import events as ev
from petops.domain.events import Entry, Event
from petops.domain.evidence import Answer
from petops.domain.facts import Fact
from petops.domain.objects import ObjectEvents, Occurrence
from petops.domain.runbook import Runbook
from petops.domain.traces import LogLine, Segment, ServiceEdge, Trace
from petops.domain.tracing import (
    LogExcerpt,
    MapNode,
    ServiceMap,
    SlowTraces,
    SpotRank,
    TimeAt,
    TroubleSpot,
)
from petops.domain.waterfalls import waterfall
from tests.tui.scripted import PROPOSED, STORY, index_of

AT = STORY[index_of(ev.InvestigationStarted)].event.at

POD = "payforadoption-7d9c5-x2x4k"
PAGE = """Who to call: **#payments** first.

## Before you restart
1. Look whether a deployment is under way.
2. Take a heap dump:

```
kubectl exec deploy/payforadoption -- kill -3 1
```

- It is written to /dumps, 400 MiB at most.
- Keep it: `petops incidents export`.
"""


def _segment(
    name: str, parent: str, start: float, end: float, *, own_id: str = "", **more: object
) -> Segment:
    known = {"kind": "AWS::EKS::Container", "pod": f"{name}-7d9c5-x2x4k"}
    return Segment(
        id=own_id or name,
        parent_id=parent,
        name=name,
        start=AT + timedelta(seconds=start),
        end=AT + timedelta(seconds=end),
        **(known | more),  # type: ignore[arg-type]
    )


def _call(name: str, parent: str, start: float, end: float) -> Segment:
    kind = {"kind": "remote", "is_subsegment": True, "pod": ""}
    return _segment(name, parent, start, end, own_id=f"to-{name}-{start}", **kind)


TRACE = Trace(
    id="1-66f0a1-5f84c7a1b2",
    segments=(
        _segment("petsite", "", 0, 2.31),
        _call("petsearch", "petsite", 0.04, 0.19),
        _segment("petsearch", "to-petsearch-0.04", 0.05, 0.18),
        _call("DynamoDB", "petsearch", 0.07, 0.15),
        _call("payforadoption", "petsite", 0.21, 2.24),
        _segment("payforadoption", "to-payforadoption-0.21", 0.22, 2.23),
        _call("Aurora", "payforadoption", 0.3, 0.42),
        _segment(
            "charge the card", "payforadoption", 0.45, 2.17, own_id="step",
            kind="", is_subsegment=True, pod=POD, message="waited for a worker of the pool",
        ),
        _call("petstatusupdater", "petsite", 2.25, 2.3),
    ),
)  # fmt: skip

_NODES = (
    MapNode(service="petsite", kind="AWS::EKS::Container", is_root=True, requests=1210, faults=3,
            mean_seconds=2.02, own_seconds=0.05, before_requests=1190, before_own_seconds=0.05),
    MapNode(service="petsearch", requests=1208, mean_seconds=0.13, own_seconds=0.05,
            before_requests=1180, before_own_seconds=0.05),
    MapNode(service="payforadoption", requests=402, faults=21, mean_seconds=1.93,
            own_seconds=1.81, before_requests=398, before_own_seconds=0.12),
    MapNode(service="petstatusupdater", requests=398, mean_seconds=0.05, own_seconds=0.05),
    MapNode(service="DynamoDB", kind="AWS::DynamoDB", requests=1208, mean_seconds=0.08,
            own_seconds=0.08, before_requests=1190, before_own_seconds=0.08),
    MapNode(service="Aurora", kind="Database::SQL", requests=402, mean_seconds=0.12,
            own_seconds=0.12, before_requests=400, before_own_seconds=0.11),
)  # fmt: skip
_EDGES = (
    ServiceEdge(caller="petsite", callee="petsearch", requests=1208, total_seconds=160),
    ServiceEdge(caller="petsite", callee="payforadoption", requests=402, total_seconds=780),
    ServiceEdge(caller="petsite", callee="petstatusupdater", requests=398, total_seconds=20),
    ServiceEdge(caller="petsearch", callee="DynamoDB", requests=1208, total_seconds=97),
    ServiceEdge(caller="payforadoption", callee="Aurora", requests=402, total_seconds=48),
    ServiceEdge(caller="petstatusupdater", callee="DynamoDB", requests=398, total_seconds=12),
)

_TEXTS = (
    "GET /payforadoption/api/home/completeadoption 200 1802ms",
    "pool exhausted: 16 of 16 workers busy, 41 waiting",
    "ERROR charge timed out after 2s orderId=\x1b[31m8812\x1b[0m",
    "retrying charge orderId=8812 attempt=2",
)


def lines(count: int) -> tuple[LogLine, ...]:
    """Return so many lines of a log."""
    return tuple(
        LogLine(
            at=AT - timedelta(seconds=(count - number) / 10),
            pod="payforadoption-7d9c5-x2x4k",
            container="payforadoption",
            text=f"{_TEXTS[number % len(_TEXTS)]} #{number}",
        )
        for number in range(count)
    )


def facts(log_lines: int = 40) -> tuple[tuple[str, Fact], ...]:
    """Return what the further steps answered."""
    events = (
        Occurrence(reason="Unhealthy", is_warning=True, message="Readiness probe failed: timeout",
                   kind="Pod", namespace="default", name="payforadoption-7d9c5-x2x4k", count=7,
                   first_at=AT - timedelta(minutes=4), last_at=AT - timedelta(seconds=20)),
        Occurrence(reason="ScalingReplicaSet", is_warning=False, message="Scaled up to 2",
                   kind="Deployment", namespace="default", name="payforadoption", count=1,
                   first_at=AT - timedelta(minutes=9), last_at=AT - timedelta(minutes=9)),
    )  # fmt: skip
    place = TimeAt(service="payforadoption", pod="payforadoption-7d9c5-x2x4k", requests=20,
                   seconds=1.93, own_seconds=1.81)  # fmt: skip
    slow = SlowTraces(
        service="petsite", waterfalls=(waterfall(TRACE),), looked_at=20,
        lately=(place, replace(place, service="petsite", pod="petsite-1", own_seconds=0.05)),
        before=(replace(place, own_seconds=0.12),),
    )  # fmt: skip
    spot = TroubleSpot(
        alarmed="petsite", symptom="latency", cause="payforadoption", subject=None,
        why="it explains 94 % of what petsite's requests take longer",
        ranking=(SpotRank(service="payforadoption", share_ratio=0.94),
                 SpotRank(service="petsearch", share_ratio=0.02)),
    )  # fmt: skip
    return (
        ("object-events", ObjectEvents(occurrences=events)),
        ("slow-traces", slow),
        ("service-map", ServiceMap(alarmed="petsite", nodes=_NODES, edges=_EDGES)),
        ("trouble-spot", spot),
        ("log-lines", LogExcerpt(around=AT, lines=lines(log_lines))),
    )


def slow_story(log_lines: int = 40) -> tuple[Entry, ...]:
    """Return the story until something is on offer, with these answers and a runbook in it."""
    begun = index_of(ev.InvestigationStarted) + 1
    diagnosed = index_of(ev.Diagnosed) + 1
    answers: list[Event] = [
        ev.StepAnswered(at=AT, answer=Answer(step=name, fact=fact, asked=(), seconds=0.2))
        for name, fact in facts(log_lines)
    ]
    page = Runbook(name="pay", title="The pool of workers is exhausted", modes=("memory-leak",),
                   text=PAGE, origin="runbooks/payments.md")  # fmt: skip
    told = [one.event for one in STORY[:PROPOSED]]
    events = [
        *told[:begun], *answers, *told[begun:diagnosed],
        ev.RunbookFound(at=told[diagnosed - 1].at, runbook=page), *told[diagnosed:],
    ]  # fmt: skip
    incident = STORY[0].incident if STORY[0].incident.startswith("INC") else "INC-0001"
    return tuple(
        Entry(seq=number, incident=incident, number=number, event=one)
        for number, one in enumerate(events, start=1)
    )
