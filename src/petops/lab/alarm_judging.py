"""When an alarm that somebody defined changes its state: M out of the last N datapoints."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from petops.lab.alarm_definitions import COMPARISONS, MetricAlarm
from petops.lab.alarm_events import UNCHECKED, stamp
from petops.lab.alarms import State
from petops.lab.metric_points import Source
from petops.lab.metric_queries import Result, Worked
from petops.lab.metric_select import groups_of, is_select

_STEADY: Final = frozenset({"Maximum", "Sum", "SampleCount"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An alarm's state, and why. `suppressed` is what holds a composite alarm's actions back."""

    state: State
    reason: str
    since: datetime
    data: str = ""
    suppressed: str = ""
    transitioned: datetime | None = None

    def shown(self) -> dict[str, Any]:
        """Return it as events say it."""
        made: dict[str, Any] = {"value": str(self.state), "reason": self.reason}
        if self.data:
            made["reasonData"] = self.data
        if self.suppressed:
            made["actionsSuppressedBy"] = self.suppressed
            made["actionsSuppressedReason"] = f"Actions suppressed by {self.suppressed}"
        return made | {"timestamp": stamp(self.since)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributor:
    """One of the series that an alarm over a grouped query has."""

    id: str
    attributes: Mapping[str, str]
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an alarm is judged to be, with its contributors where it has any."""

    standing: Standing
    contributors: tuple[Contributor, ...] = field(default=())


def unchecked(now: datetime) -> Standing:
    """Return the state of an alarm that was just made."""
    return Standing(state=State.INSUFFICIENT_DATA, reason=UNCHECKED, since=now)


def judged(alarm: MetricAlarm, before: Standing, source: Source, now: datetime) -> Verdict:
    """Return the state of an alarm by the datapoints that there are now."""
    start = math.floor(now.timestamp() / _period(alarm)) * _period(alarm)
    span = (alarm.periods + 1) * _period(alarm)
    worked = Worked(alarm.queries, source, start - span, now.timestamp() + 1)
    results = worked.results()
    if is_select(alarm.watched.expression) and groups_of(alarm.watched.expression):
        return _of_groups(alarm, before, results, now)
    values = results[0].values if results else {}
    return Verdict(standing=_of_series(alarm, before, values, now))


def _period(alarm: MetricAlarm) -> int:
    periods = [one.period for one in alarm.queries if one.period]
    return alarm.watched.period or min(periods, default=60)


def _of_series(
    alarm: MetricAlarm, before: Standing, values: Mapping[int, float], now: datetime
) -> Standing:
    recent = _recent(alarm, values, now)
    known = {at: value for at, value in recent.items() if value is not None}
    over = COMPARISONS[alarm.comparison][1]
    breaching = [at for at, value in known.items() if over(value, alarm.threshold)]
    silent = len(recent) - len(known)
    counted = len(breaching) + (silent if alarm.missing == "breaching" else 0)
    if counted >= alarm.needed:
        return _threshold(alarm, before, State.ALARM, recent=recent, shown=breaching, now=now)
    if known or alarm.missing == "notBreaching":
        return _threshold(alarm, before, State.OK, recent=recent, shown=list(known), now=now)
    if alarm.missing == "ignore":
        return before
    plural = "datapoint was" if silent == 1 else "datapoints were"
    reason = f"Insufficient Data: {silent} {plural} unknown."
    return Standing(state=State.INSUFFICIENT_DATA, reason=reason, since=now)


def _recent(
    alarm: MetricAlarm, values: Mapping[int, float], now: datetime
) -> dict[int, float | None]:
    """Return the periods that count, newest last.

    The present one is not over: it counts once it has a value that can only get further over the
    threshold.
    """
    period = _period(alarm)
    last = math.floor(now.timestamp() / period) * period
    rises = alarm.comparison.startswith("Greater")
    steady = alarm.watched.statistic in _STEADY or not alarm.watched.metric
    if last not in values or not (rises and steady):
        last -= period
    times = range(last - (alarm.periods - 1) * period, last + 1, period)
    return {at: values.get(at) for at in times}


def _threshold(
    alarm: MetricAlarm,
    before: Standing,
    state: State,
    *,
    recent: Mapping[int, float | None],
    shown: list[int],
    now: datetime,
) -> Standing:
    """Return the state by a threshold, in CloudWatch's own words."""
    words = COMPARISONS[alarm.comparison][0]
    listed = ", ".join(f"{recent[at]} ({_short(at)})" for at in reversed(shown))
    many = len(shown) != 1
    verb = {State.ALARM: "were" if many else "was", State.OK: "were not" if many else "was not"}
    counted = (
        "no datapoints were received"
        if not shown
        else (
            f"{len(shown)} out of the last {len(recent)} datapoints [{listed}] {verb[state]} "
            f"{words} the threshold ({alarm.threshold})"
        )
    )
    plural = "datapoint" if alarm.needed == 1 else "datapoints"
    reason = (
        f"Threshold Crossed: {counted} "
        f"(minimum {alarm.needed} {plural} for {before.state} -> {state} transition)."
    )
    return Standing(state=state, reason=reason, since=now, data=_data(alarm, recent, now))


def _data(alarm: MetricAlarm, recent: Mapping[int, float | None], now: datetime) -> str:
    known = [(at, value) for at, value in recent.items() if value is not None]
    first = datetime.fromtimestamp(min(recent), UTC)
    made: dict[str, Any] = {"version": "1.0", "queryDate": stamp(now), "startDate": stamp(first)}
    if alarm.is_plain:
        made["statistic"] = alarm.watched.statistic
    made |= {
        "period": _period(alarm),
        "recentDatapoints": [value for _, value in known],
        "threshold": alarm.threshold,
        "evaluatedDatapoints": [
            {"timestamp": stamp(datetime.fromtimestamp(at, UTC)), "value": value}
            for at, value in reversed(known)
        ],
    }
    return json.dumps(made, separators=(",", ":"))


def _of_groups(
    alarm: MetricAlarm, before: Standing, results: list[Result], now: datetime
) -> Verdict:
    """Judge each group's series; the alarm is in ALARM as soon as one of them is."""
    contributors = []
    over = COMPARISONS[alarm.comparison]
    for result in results:
        found = _of_series(alarm, before, result.values, now)
        if found.state is State.INSUFFICIENT_DATA or not result.values:
            continue
        recent = {
            at: value for at, value in result.values.items() if over[1](value, alarm.threshold)
        }
        reason = found.reason
        if found.state is State.ALARM and recent:
            last = max(recent)
            plural = "datapoint was" if len(recent) == 1 else "datapoints were"
            reason = (
                f"Threshold Crossed: {len(recent)} {plural} {over[0]} the threshold "
                f"({alarm.threshold}). The most recent datapoint which crossed the threshold: "
                f"[{recent[last]} ({_short(last)})]."
            )
        standing = Standing(state=found.state, reason=reason, since=now)
        contributors.append(
            Contributor(
                id=_contributor_id(alarm.name, result.attributes),
                attributes=result.attributes,
                standing=standing,
            )
        )
    if not contributors:
        reason = "Insufficient Data: no time series matched the query."
        none = Standing(state=State.INSUFFICIENT_DATA, reason=reason, since=now)
        return Verdict(standing=none)
    firing = sum(one.standing.state is State.ALARM for one in contributors)
    state = State.ALARM if firing else State.OK
    count = firing or len(contributors)
    reason = f"{count} out of {len(contributors)} time series evaluated to {state}"
    standing = Standing(state=state, reason=reason, since=now)
    return Verdict(standing=standing, contributors=tuple(contributors))


def _contributor_id(name: str, attributes: Mapping[str, str]) -> str:
    text = json.dumps([name, sorted(attributes.items())])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _short(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%d/%m/%y %H:%M:%S")
