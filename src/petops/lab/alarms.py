"""The lab's CloudWatch alarms: which there are, and when each changes its state. No I/O, no clock.

Unlike CloudWatch's, which look once a minute, these look whenever they are told to, at the last
minute.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from petops.lab.container_insights import Datapoint, Series

PERIOD: Final = timedelta(seconds=60)
UNKNOWN_AFTER: Final = 3 * PERIOD


class State(StrEnum):
    """An alarm's state, in CloudWatch's words."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Statistic(StrEnum):
    """What a minute's datapoints are brought down to."""

    MAXIMUM = "Maximum"
    SUM = "Sum"


class Comparison(StrEnum):
    """When a value is too much."""

    GREATER = "GreaterThanThreshold"
    AT_LEAST = "GreaterThanOrEqualToThreshold"


_EXCEEDS: Final[Mapping[Comparison, Callable[[float, float], bool]]] = {
    Comparison.GREATER: operator.gt,
    Comparison.AT_LEAST: operator.ge,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is watched on every series of one metric."""

    metric: str
    title: str
    threshold: float
    description: str
    statistic: Statistic = Statistic.MAXIMUM
    comparison: Comparison = Comparison.GREATER


RULES: Final = (
    Rule(
        metric="pod_memory_utilization_over_pod_limit",
        title="memory",
        threshold=80.0,
        description="A pod of the service uses more than 80 % of its memory limit.",
    ),
    Rule(
        metric="pod_cpu_utilization_over_pod_limit",
        title="cpu",
        threshold=90.0,
        description="A pod of the service uses more than 90 % of its CPU limit.",
    ),
    Rule(
        metric="pod_number_of_container_restarts",
        title="restarts",
        threshold=1.0,
        description="A container of the workload was restarted.",
        statistic=Statistic.SUM,
        comparison=Comparison.AT_LEAST,
    ),
    Rule(
        metric="node_memory_utilization",
        title="node-memory",
        threshold=90.0,
        description="The node uses more than 90 % of its memory.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm: a rule on one series."""

    rule: Rule
    series: Series

    @property
    def name(self) -> str:
        own = [value for key, value in self.series.dimensions if key in _NAMING]
        return "-".join((*own, self.rule.title))


_NAMING: Final = ("Namespace", "Service", "PodName", "NodeName")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A state, since when, and the figure that it was judged by, if there was one."""

    state: State
    since: datetime
    value: float | None = None
    datapoint_at: datetime | None = None
    datapoints: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """One alarm's step from one state to another."""

    alarm: Alarm
    before: Judged
    after: Judged


class AlarmTable:
    """Every alarm with its state."""

    def __init__(self) -> None:
        self._alarms: dict[Series, Alarm] = {}
        self._judged: dict[Series, Judged] = {}
        self._recent: dict[Series, deque[Datapoint]] = {}

    @property
    def states(self) -> Mapping[str, State]:
        """Each alarm's state, by its name."""
        return {self._alarms[key].name: judged.state for key, judged in self._judged.items()}

    @property
    def judged(self) -> Mapping[str, tuple[Alarm, Judged]]:
        """Each alarm with its state, by its name."""
        found = ((self._alarms[key], judged) for key, judged in self._judged.items())
        return {alarm.name: (alarm, judged) for alarm, judged in found}

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Every alarm that there is."""
        return tuple(self._alarms.values())

    def watch(self, series: Iterable[Series], now: datetime) -> None:
        """Put alarms on series that have none yet; take away those whose series is no more."""
        rules = {rule.metric: rule for rule in RULES}
        wanted = [each for each in series if each.metric in rules]
        for each in wanted:
            if each not in self._alarms:
                self._alarms[each] = Alarm(rule=rules[each.metric], series=each)
                self._judged[each] = Judged(state=State.INSUFFICIENT_DATA, since=now)
                self._recent[each] = deque()
        for gone in self._alarms.keys() - set(wanted):
            del self._alarms[gone], self._judged[gone], self._recent[gone]

    def evaluate(self, datapoints: Iterable[Datapoint], now: datetime) -> list[StateChange]:
        """Take new datapoints in and return the alarms that change state by them, or by silence."""
        for datapoint in datapoints:
            if (recent := self._recent.get(datapoint.series)) is not None:
                recent.append(datapoint)
        changes = []
        for series, alarm in self._alarms.items():
            before = self._judged[series]
            after = judge(alarm.rule, self._recent[series], before, now)
            if after.state is not before.state:
                self._judged[series] = after
                changes.append(StateChange(alarm=alarm, before=before, after=after))
        return changes


def judge(rule: Rule, recent: deque[Datapoint], before: Judged, now: datetime) -> Judged:
    """Return the state by the last minute's datapoints; one over the threshold is enough.

    What is too old is taken out of `recent`, but for the last, which tells how long it was silent.
    """
    while len(recent) > 1 and recent[0].at <= now - PERIOD:
        recent.popleft()
    if not recent or recent[-1].at <= now - UNKNOWN_AFTER:
        silent = not recent and now - before.since < UNKNOWN_AFTER
        return before if silent else Judged(state=State.INSUFFICIENT_DATA, since=now)
    if recent[-1].at <= now - PERIOD:
        return before
    if rule.statistic is Statistic.SUM:
        value, at = sum(each.value for each in recent), recent[-1].at
    else:
        highest = max(recent, key=lambda each: each.value)
        value, at = highest.value, highest.at
    exceeds = _EXCEEDS[rule.comparison](value, rule.threshold)
    return Judged(
        state=State.ALARM if exceeds else State.OK,
        since=now,
        value=value,
        datapoint_at=at,
        datapoints=len(recent),
    )
