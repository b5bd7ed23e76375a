"""What monitoring systems send when an alarm changes its state, as `Alarm`s.

Pure. A document that is none of theirs raises UnreadableAlarmError, whatever it holds.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from petops.domain.alarm import Alarm, AlarmSource, AlarmState
from petops.domain.alarm_mapping import (
    AlarmMapping,
    by_dimensions,
    by_labels,
    cluster_of,
    filled,
    mapped,
)
from petops.domain.change import canonical
from petops.domain.subject import ClusterName
from petops.errors import PetopsError
from petops.sources.metrics_insights import selected

Json = Any

HEARTBEATS: Final = frozenset({"Watchdog", "DeadMansSwitch", "InfoInhibitor"})
"""Alerts of kube-prometheus that are meant to fire while all is well, or to silence others."""

_STATES: Final = {
    "ALARM": AlarmState.ALARM,
    "OK": AlarmState.OK,
    "INSUFFICIENT_DATA": AlarmState.INSUFFICIENT_DATA,
    "firing": AlarmState.ALARM,
    "resolved": AlarmState.OK,
}
_LONGEST: Final = 2000
_HIGHEST: Final = 10**18
_MOST_LABELS: Final = 60
_MOST_ALERTS: Final = 1000
_METRIC_NAMESPACE: Final = "MetricNamespace"
_CHILD: Final = re.compile(r"""\bALARM\(\s*(?:["']([^"']+)["']|([^"'()]+))\s*\)""")
_LONGEST_RULE: Final = 10_240  # CloudWatch's own bound
_MOST_CHILDREN: Final = 100
_OF_ALARM: Final = "CloudWatch Alarm State Change"
_OF_CONTRIBUTOR: Final = "CloudWatch Alarm Contributor State Change"


class UnreadableAlarmError(PetopsError):
    """A document that is no alarm, or not one that petops can read."""


def parse_document(text: str | bytes, mapping: AlarmMapping) -> tuple[Alarm, ...]:
    """Return the alarms of an EventBridge event or an Alertmanager payload, whichever it is."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise UnreadableAlarmError("the document is no JSON") from exc
    if isinstance(document, Mapping) and "detail-type" in document:
        return parse_eventbridge(document, mapping)
    if isinstance(document, Mapping) and "alerts" in document:
        return parse_alertmanager(document, mapping)
    raise UnreadableAlarmError(
        "the document is neither an EventBridge event nor an Alertmanager payload"
    )


def parse_eventbridge(document: Json, mapping: AlarmMapping) -> tuple[Alarm, ...]:
    """Return the one alarm of a `CloudWatch Alarm [Contributor] State Change` event.

    Each series of an alarm that watches many is an alarm of its own: its contributor's attributes
    are its dimensions, and its fingerprint is the alarm's ARN, `#` and the contributor's id.
    """
    event = _object(document, "the event")
    kind = event.get("detail-type")
    if kind not in (_OF_ALARM, _OF_CONTRIBUTOR) or event.get("source") != "aws.cloudwatch":
        raise UnreadableAlarmError(f"an event of the kind {_shown(kind)} is no alarm")
    detail = _object(event.get("detail"), "the event's detail")
    state = _object(detail.get("state"), "the alarm's state")
    name = _required(detail, "alarmName")
    fingerprint = _arn(event, name)
    configuration = _mapping(detail.get("configuration"))
    dimensions, namespaces, metrics, odd = _metrics(configuration)
    if kind == _OF_CONTRIBUTOR:
        contributor = _object(detail.get("alarmContributor"), "the alarm's contributor")
        fingerprint = f"{fingerprint}#{_required(contributor, 'id')}"
        dimensions, odd = {**dimensions, **_pairs(contributor.get("attributes"))}, ""
    place = ClusterName(
        name="", account=_text(event.get("account")), region=_text(event.get("region"))
    )
    cluster = filled(cluster_of(dimensions, place), mapping.here)
    if "alarmRule" in configuration:
        odd = "a composite alarm names no object"
    made_of = _children(configuration.get("alarmRule"))
    labels = {**dimensions, **({_METRIC_NAMESPACE: namespaces} if namespaces else {})}
    found = mapped(name, odd or by_dimensions(dimensions, namespaces), labels, cluster, mapping)
    return (
        Alarm(
            name=name,
            source=AlarmSource.CLOUDWATCH,
            fingerprint=fingerprint,
            event_id=_required(event, "id"),
            state=_state(state.get("value")),
            cluster=cluster,
            started_at=_time(state.get("timestamp") or event.get("time")),
            subject=found.subject,
            unmapped=found.why,
            metric=metrics,
            threshold=_threshold(state.get("reasonData")),
            text=_lines(configuration.get("description"), state.get("reason")),
            labels=tuple(sorted(labels.items())),
            made_of=made_of,
        ),
    )


def _children(rule: Json) -> tuple[str, ...]:
    """Return the names or ARNs of the alarms that a composite alarm's rule wants in `ALARM`."""
    text = rule if isinstance(rule, str) else ""
    every = (one[1] or one[2] for one in _CHILD.finditer(text[:_LONGEST_RULE]))
    return tuple(dict.fromkeys(one.strip() for one in every))[:_MOST_CHILDREN]


def _arn(event: Json, name: str) -> str:
    resources = event.get("resources")
    first = resources[0] if isinstance(resources, list) and resources else None
    account, region = _text(event.get("account")), _text(event.get("region"))
    return _text(first) or f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}"


def _metrics(configuration: Json) -> tuple[dict[str, str], str, str, str]:
    """Return the metrics' dimensions, namespaces and names, and why they name no one object.

    Several metrics, as metric math has, count together where they do not contradict each other.
    """
    dimensions: dict[str, str] = {}
    namespaces: dict[str, None] = {}
    names: dict[str, None] = {}
    torn: set[str] = set()
    every = configuration.get("metrics")
    for one in every if isinstance(every, list) else ():
        metric = _metric(_mapping(one))
        names[_text(metric.get("name"))] = None
        namespaces[_text(metric.get("namespace"))] = None
        for key, value in _pairs(metric.get("dimensions")).items():
            if dimensions.setdefault(key, value) != value:
                torn.add(key)
    for key in torn:
        del dimensions[key]
    odd = f"its metrics differ in {', '.join(sorted(torn))}" if torn else ""
    return dimensions, _joined(namespaces), _joined(names), odd


def _metric(one: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return name, namespace and dimensions of a metric, or of what a query selects."""
    query = selected(one.get("expression"))
    if query is not None:
        return {"name": query.metric, "namespace": query.namespace, "dimensions": query.dimensions}
    return _mapping(_mapping(one.get("metricStat")).get("metric"))


def _joined(texts: Mapping[str, None]) -> str:
    return ", ".join(text for text in texts if text)


def _threshold(reason_data: Json) -> float | None:
    """Return the threshold, which stands only in a JSON text inside the event."""
    try:
        data = json.loads(reason_data) if isinstance(reason_data, str) else None
    except (ValueError, RecursionError):
        return None
    return _number(_mapping(data).get("threshold"))


def parse_alertmanager(document: Json, mapping: AlarmMapping) -> tuple[Alarm, ...]:
    """Return one alarm an alert of an Alertmanager webhook payload, version 4.

    Heartbeats are no alarms: what fires always says nothing of anything.
    """
    payload = _object(document, "the payload")
    if payload.get("version") != "4":
        raise UnreadableAlarmError("the payload is not of Alertmanager's version 4")
    alerts = payload.get("alerts")
    if not isinstance(alerts, list) or len(alerts) > _MOST_ALERTS:
        raise UnreadableAlarmError(f"the payload has no list of at most {_MOST_ALERTS} alerts")
    every = (_alert(_object(one, "an alert"), mapping) for one in alerts)
    return tuple(one for one in every if one.name not in HEARTBEATS)


def _alert(alert: Json, mapping: AlarmMapping) -> Alarm:
    labels = _pairs(alert.get("labels"))
    if not labels:
        raise UnreadableAlarmError("an alert has no labels")
    fingerprint = _text(alert.get("fingerprint")) or _digest(labels)
    name = labels.get("alertname") or f"alert {fingerprint}"
    state = _state(alert.get("status"))
    started_at = _time(alert.get("startsAt"))
    cluster = cluster_of(labels, mapping.here)
    found = mapped(name, by_labels(labels), labels, cluster, mapping)
    metric, threshold = _expression(alert.get("generatorURL"))
    notes = _mapping(alert.get("annotations"))
    return Alarm(
        name=name,
        source=AlarmSource.ALERTMANAGER,
        fingerprint=fingerprint,
        event_id=f"{fingerprint}/{started_at.isoformat()}/{state}",
        state=state,
        cluster=cluster,
        started_at=started_at,
        subject=found.subject,
        unmapped=found.why,
        metric=metric,
        threshold=threshold,
        severity=labels.get("severity", ""),
        text=_lines(notes.get("summary"), notes.get("description") or notes.get("message")),
        labels=tuple(sorted(labels.items())),
    )


def _digest(labels: Mapping[str, str]) -> str:
    return hashlib.sha256(canonical(dict(labels)).encode()).hexdigest()[:16]


_METRIC: Final = re.compile(r"\b([a-z][a-z0-9]*(?:[_:][a-z0-9]+)+)\b(?!\s*\()")
_LABELS: Final = re.compile(
    r"\{[^}]*\}|\"[^\"]*\"|\b(?:by|on|without|ignoring|group_left|group_right)\b\s*(?:\([^)]*\))?"
)
_COMPARED: Final = re.compile(r"[<>]=?\s*([0-9.]+(?:[eE][+-]?\d+)?)\s*$")


def _expression(generator_url: Json) -> tuple[str, float | None]:
    """Return the first metric and the threshold of the alert's rule, whose PromQL its link has."""
    try:
        link = generator_url if isinstance(generator_url, str) else ""
        expression = parse_qs(urlsplit(link).query).get("g0.expr", [""])[0]
    except ValueError:
        return "", None
    if len(expression) > _LONGEST:
        return "", None
    metric = _METRIC.search(_LABELS.sub(" ", expression))
    compared = _COMPARED.search(expression)
    return metric[1] if metric else "", _number(compared[1]) if compared else None


def _object(value: Json, what: str) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise UnreadableAlarmError(f"{what} is no JSON object")
    return value


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _pairs(value: Json) -> dict[str, str]:
    """Return labels or dimensions as text; a number of them that no alarm has is cut."""
    return {
        _text(key): _text(one)
        for key, one in list(_mapping(value).items())[:_MOST_LABELS]
        if isinstance(one, str | int | float)
    }


def _required(found: Mapping[str, Json], key: str) -> str:
    text = _text(found.get(key))
    if not text:
        raise UnreadableAlarmError(f"the alarm has no {key}")
    return text


def _text(value: Json) -> str:
    """Return one line that every journal and terminal can hold: no control or half characters."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if not isinstance(value, str) and not abs(value) < _HIGHEST:
        return ""
    text = str(value)[:_LONGEST].encode("utf-8", "replace").decode()
    return "".join(one if one.isprintable() else " " for one in text)


def _lines(*values: Json) -> str:
    """Return what people wrote, with the lines that they made."""
    lines = (line for one in values if isinstance(one, str) for line in one[:_LONGEST].splitlines())
    return "\n".join(text for line in lines if (text := _text(line).rstrip()))


def _state(value: Json) -> AlarmState:
    state = _STATES.get(value) if isinstance(value, str) else None
    if state is None:
        raise UnreadableAlarmError(f"{_shown(value)} is no state of an alarm")
    return state


def _time(value: Json) -> datetime:
    """Return a time in UTC; CloudWatch gives +0000 for the zone, Alertmanager nanoseconds."""
    try:
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as exc:
        raise UnreadableAlarmError(f"{_shown(value)} is no time") from exc


def _shown(value: Json) -> str:
    return repr(value[:60]) if isinstance(value, str) else f"a {type(value).__name__}"


def _number(value: Json) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
