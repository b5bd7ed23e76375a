"""Alarms that somebody defined: read from PutMetricAlarm and PutCompositeAlarm, and shown again."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from petops.lab.alarm_rules import CompositeRule
from petops.lab.alarms import Alarm
from petops.lab.aws_requests import AwsRefusalError, Given
from petops.lab.metric_points import STATISTICS, Metric, is_statistic
from petops.lab.metric_queries import Query, query, read_dimensions, read_period

Json = dict[str, Any]

COMPARISONS: Final[Mapping[str, tuple[str, Callable[[float, float], bool]]]] = {
    "GreaterThanOrEqualToThreshold": ("greater than or equal to", lambda value, to: value >= to),
    "GreaterThanThreshold": ("greater than", lambda value, to: value > to),
    "LessThanThreshold": ("less than", lambda value, to: value < to),
    "LessThanOrEqualToThreshold": ("less than or equal to", lambda value, to: value <= to),
}
MISSING_DATA: Final = ("missing", "ignore", "breaching", "notBreaching")
_ACTIONS: Final = ("OKActions", "AlarmActions", "InsufficientDataActions")
_NAMES: Final = uuid.UUID("5a9d1f0e-4c0b-5d5e-9a53-6d0f6c6c1ab0")
_LONGEST_NAME: Final = 255
_MOST_PERIODS: Final = 1440
_LONGEST_SECONDS: Final = 7 * 86400
_MOST_METRICS: Final = 10
_MOST_ACTIONS: Final = 5
WRONG: Final = "ValidationError"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What every alarm has. `actions` are kept and shown, never taken."""

    name: str
    description: str = ""
    actions_enabled: bool = True
    actions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricAlarm(Definition):
    """An alarm on a metric, or on an expression over several."""

    queries: tuple[Query, ...]
    is_plain: bool
    threshold: float
    comparison: str
    periods: int
    needed: int
    missing: str = "missing"
    unit: str = ""

    @property
    def watched(self) -> Query:
        """The query whose series is compared with the threshold."""
        return next(one for one in self.queries if one.shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeAlarm(Definition):
    """An alarm on the states of others."""

    rule: CompositeRule
    suppressor: str = ""
    wait_seconds: int = 0
    extension_seconds: int = 0


def metric_alarm(given: Given) -> MetricAlarm:
    """Read PutMetricAlarm."""
    periods = given.integer("EvaluationPeriods", 1, _MOST_PERIODS)
    is_plain = "Metrics" not in given
    if is_plain is not ("MetricName" in given):
        raise AwsRefusalError(
            "InvalidParameterCombination", "Give either MetricName or Metrics to the alarm."
        )
    queries = (_plain(given),) if is_plain else _several(given)
    longest = max((one.period or 60 for one in queries), default=60)
    if longest * periods > _LONGEST_SECONDS:
        raise given.refuse("Metrics cannot be checked across more than seven days.")
    if "ThresholdMetricId" in given:
        raise given.refuse("The lab has no anomaly detection: ThresholdMetricId is not supported.")
    return MetricAlarm(
        **_common(given),
        queries=queries,
        is_plain=is_plain,
        threshold=given.number("Threshold"),
        comparison=given.choice("ComparisonOperator", tuple(COMPARISONS)),
        periods=periods,
        needed=given.integer("DatapointsToAlarm", 1, periods, periods),
        missing=given.choice("TreatMissingData", MISSING_DATA, "missing"),
        unit=given.text("Unit", ""),
    )


def composite_alarm(given: Given) -> CompositeAlarm:
    """Read PutCompositeAlarm."""
    common = _common(given)
    rule = CompositeRule(given.text("AlarmRule"))
    if common["name"] in rule.names:
        raise given.refuse("AlarmRule must not refer to the alarm itself.")
    return CompositeAlarm(
        **common,
        rule=rule,
        suppressor=given.text("ActionsSuppressor", ""),
        wait_seconds=given.integer("ActionsSuppressorWaitPeriod", 0, 86400, 0),
        extension_seconds=given.integer("ActionsSuppressorExtensionPeriod", 0, 86400, 0),
    )


def built_in(alarm: Alarm) -> MetricAlarm:
    """Return one of the lab's own alarms in the same form."""
    metric = Metric.of("ContainerInsights", alarm.series.metric, dict(alarm.series.dimensions))
    watched = Query(
        id="m1",
        label="",
        shown=True,
        period=60,
        metric=metric,
        statistic=str(alarm.rule.statistic),
    )
    return MetricAlarm(
        name=alarm.name,
        description=alarm.rule.description,
        queries=(watched,),
        is_plain=True,
        threshold=alarm.rule.threshold,
        comparison=str(alarm.rule.comparison),
        periods=1,
        needed=1,
    )


def _common(given: Given) -> Json:
    name = given.text("AlarmName")
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise given.refuse("The value for parameter AlarmName must have 1 to 255 characters.")
    return {
        "name": name,
        "description": given.text("AlarmDescription", "", 1024),
        "actions_enabled": given.flag("ActionsEnabled", True),
        "actions": {kind: tuple(given.texts(kind, _MOST_ACTIONS)) for kind in _ACTIONS},
    }


def _plain(given: Given) -> Query:
    if "Statistic" in given and "ExtendedStatistic" in given:
        raise given.refuse("Statistic and ExtendedStatistic cannot be given together.")
    name = given.text("Statistic", "") or given.text("ExtendedStatistic", "")
    if not is_statistic(name):
        raise given.refuse("A supported Statistic or ExtendedStatistic must be given.")
    metric = Metric.of(given.text("Namespace"), given.text("MetricName"), read_dimensions(given))
    return Query(
        id="m1", label="", shown=True, period=read_period(given), metric=metric, statistic=name
    )


def _several(given: Given) -> tuple[Query, ...]:
    queries = tuple(query(one) for one in given.parts("Metrics", _MOST_METRICS, required=True))
    if len([one for one in queries if one.shown]) != 1:
        raise given.refuse("Exactly one element of the metrics list should return data.")
    return queries


def described(definition: Definition) -> Json:
    """Return what DescribeAlarms says of a definition, its state left out."""
    made: Json = {
        "AlarmName": definition.name,
        "ActionsEnabled": definition.actions_enabled,
        **{kind: list(definition.actions.get(kind, ())) for kind in _ACTIONS},
    }
    if definition.description:
        made["AlarmDescription"] = definition.description
    if isinstance(definition, CompositeAlarm):
        made["AlarmRule"] = definition.rule.text
        if definition.suppressor:
            made |= {
                "ActionsSuppressor": definition.suppressor,
                "ActionsSuppressorWaitPeriod": definition.wait_seconds,
                "ActionsSuppressorExtensionPeriod": definition.extension_seconds,
            }
    elif isinstance(definition, MetricAlarm):
        made |= _of_metric(definition)
    return made


def _of_metric(alarm: MetricAlarm) -> Json:
    made: Json = {
        "EvaluationPeriods": alarm.periods,
        "DatapointsToAlarm": alarm.needed,
        "Threshold": alarm.threshold,
        "ComparisonOperator": alarm.comparison,
        "TreatMissingData": alarm.missing,
    }
    one = alarm.watched
    if not alarm.is_plain or one.metric is None:
        return made | {"Metrics": [_query(each) for each in alarm.queries]}
    kind = "Statistic" if one.statistic in STATISTICS else "ExtendedStatistic"
    made |= {**_metric(one.metric), "Period": one.period, kind: one.statistic}
    return made | ({"Unit": alarm.unit} if alarm.unit else {})


def _metric(metric: Metric) -> Json:
    pairs = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    return {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": pairs}


def _query(one: Query) -> Json:
    made: Json = {"Id": one.id, "ReturnData": one.shown}
    if one.label:
        made["Label"] = one.label
    if one.metric is None:
        made["Expression"] = one.expression
        return made | ({"Period": one.period} if one.period else {})
    stat = {"Metric": _metric(one.metric), "Period": one.period, "Stat": one.statistic}
    return made | {"MetricStat": stat}


def configuration(definition: Definition) -> Json:
    """Return what an alarm's events say of its definition."""
    made: Json = {}
    if isinstance(definition, CompositeAlarm):
        made["alarmRule"] = definition.rule.text
        if definition.suppressor:
            made |= {
                "actionsSuppressor": definition.suppressor,
                "actionsSuppressorWaitPeriod": definition.wait_seconds,
                "actionsSuppressorExtensionPeriod": definition.extension_seconds,
            }
    elif isinstance(definition, MetricAlarm):
        plain_id = str(uuid.uuid5(_NAMES, definition.name))
        made["metrics"] = [
            _in_event(one, plain_id if definition.is_plain else one.id)
            for one in definition.queries
        ]
    return made | ({"description": definition.description} if definition.description else {})


def _in_event(one: Query, own_id: str) -> Json:
    made: Json = {"id": own_id, "returnData": one.shown}
    if one.label:
        made["label"] = one.label
    if one.metric is None:
        made["expression"] = one.expression
        return made | ({"period": one.period} if one.period else {})
    metric = {
        "namespace": one.metric.namespace,
        "name": one.metric.name,
        "dimensions": dict(one.metric.dimensions),
    }
    return made | {"metricStat": {"metric": metric, "period": one.period, "stat": one.statistic}}
