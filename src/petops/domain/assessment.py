"""What kind of symptom an alarm reports, and how soon a person must look.

By metric, labels, severity and place, never by what somebody wrote about the alarm.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from typing import Final
from zoneinfo import ZoneInfo

from petops.domain.alarm import Alarm, Assessment, Category, Environment, Priority
from petops.domain.freezes import DAYS
from petops.domain.subject import Kind
from petops.domain.topology import Topology

SEVERITIES: Final[Mapping[str, Priority]] = {
    **dict.fromkeys(("critical", "page", "emergency", "p1", "sev1"), Priority.P1),
    **dict.fromkeys(("error", "high", "major", "p2", "sev2"), Priority.P2),
    **dict.fromkeys(("warning", "warn", "medium", "minor", "p3", "sev3"), Priority.P3),
    **dict.fromkeys(("info", "low", "none", "p4", "sev4", "sev5"), Priority.P4),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRule:
    """Alarms whose name fits the glob are of this category."""

    alarm: str
    category: Category


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursRule:
    """In these namespaces an alarm outside these hours is less urgent by one rank.

    `days` are those of the week (mon, tue, ...), in the time of `zone`.
    """

    namespaces: tuple[str, ...]
    days: tuple[str, ...]
    opens: time
    closes: time
    zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentRules:
    """How alarms are assessed here.

    `environment` is the connected cluster's. `not_production` are globs over the namespace and,
    where the environment is unknown, the cluster's name; what fits none counts as production,
    since nobody may sleep through an outage for want of a setting.
    """

    environment: Environment = Environment.UNKNOWN

    categories: tuple[CategoryRule, ...] = ()
    hours: tuple[HoursRule, ...] = ()
    severities: Mapping[str, Priority] = field(default_factory=lambda: SEVERITIES)
    not_production: tuple[str, ...] = (
        *("dev", "dev-*", "*-dev", "test", "test-*", "*-test", "qa", "qa-*", "*-qa"),
        *("staging", "staging-*", "*-staging", "sandbox", "sandbox-*", "*-sandbox", "preview-*"),
    )


# Words of metrics' and alert rules' names, most telling first: a node's memory is the node's,
# and `container_memory_...` in an alert on restarts is not asked before `restarts`.
_WORDS: Final[tuple[tuple[Category, frozenset[str]], ...]] = (
    (Category.NODE, frozenset({"node", "kubelet", "filesystem"})),
    (Category.RESTARTS, frozenset({"restarts", "restart", "crash", "crashloop", "looping"})),
    (Category.MEMORY, frozenset({"memory", "mem", "oom", "oomkilled", "rss", "heap"})),
    (Category.CPU, frozenset({"cpu", "throttling", "throttled", "cfs", "load"})),
    (Category.LATENCY, frozenset({"latency", "duration", "responsetime", "slow", "p99", "p95"})),
    (Category.ERRORS, frozenset({"error", "errors", "fault", "faults", "5xx", "4xx"})),
    (
        Category.AVAILABILITY,
        frozenset(
            {"unavailable", "available", "ready", "unhealthy", "healthy", "replicas", "mismatch"}
            | {"down", "up", "absent", "probe", "stuck", "pending", "waiting", "failed", "running"}
            | {"unschedulable"}
        ),
    ),
)
_UNSAID: Final[Mapping[Category, Priority]] = {
    Category.AVAILABILITY: Priority.P1,
    Category.ERRORS: Priority.P1,
    Category.NODE: Priority.P1,
    Category.MEMORY: Priority.P2,
    Category.RESTARTS: Priority.P2,
    Category.LATENCY: Priority.P2,
    Category.CPU: Priority.P3,
    Category.OTHER: Priority.P3,
}
_WORD: Final = re.compile(r"[a-z]\d+|\d[a-zA-Z]+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def assess(alarm: Alarm, rules: AssessmentRules) -> Assessment:
    """Return the alarm's category and priority, and why."""
    category, why_category = _category(alarm, rules)
    priority, why_priority = _priority(alarm, category, rules)
    return Assessment(
        category=category,
        priority=priority,
        because=f"{why_category}; {why_priority}",
        environment=rules.environment,
    )


def _category(alarm: Alarm, rules: AssessmentRules) -> tuple[Category, str]:
    for rule in rules.categories:
        if fnmatch.fnmatchcase(alarm.name, rule.alarm):
            return rule.category, f"{rule.category} by the rule for {rule.alarm!r}"
    labels = dict(alarm.labels)
    for what, text in (
        ("metric", alarm.metric),
        ("label alertname", labels.get("alertname", "")),
        ("label condition", labels.get("condition", "")),
    ):
        category = _by_words(text)
        if category is not None:
            return category, f"{category} by its {what} {text}"
    if alarm.subject is not None and alarm.subject.kind is Kind.NODE:
        return Category.NODE, f"{Category.NODE} since it is about the {alarm.subject}"
    return Category.OTHER, f"{Category.OTHER}: neither metric nor labels tell a kind of symptom"


def _by_words(text: str) -> Category | None:
    found = {word.lower() for word in _WORD.findall(text)}
    joined = text.lower()
    return next(
        (
            category
            for category, words in _WORDS
            if found & words or any(word in joined for word in words if len(word) > _TELLING)
        ),
        None,
    )


_TELLING: Final = 6  # letters of a word that may stand inside another: TargetResponseTime


def _priority(alarm: Alarm, category: Category, rules: AssessmentRules) -> tuple[Priority, str]:
    if alarm.is_forecast:
        return Priority.P4, f"{Priority.P4} since it has not happened yet"
    named = rules.severities.get(alarm.severity.lower())
    if named is not None:
        priority, why = named, f"{named} by severity {alarm.severity}"
    else:
        priority = _UNSAID[category]
        why = f"{priority} for {category} without a known severity"
    for less_urgent in (_outside_production(alarm, rules), _outside_hours(alarm, rules)):
        if less_urgent:
            priority = _moved(priority, 1)
            why = f"{why}, {priority} since {less_urgent}"
    return priority, why


def _moved(priority: Priority, ranks: int) -> Priority:
    every = tuple(Priority)
    return every[max(0, min(every.index(priority) + ranks, len(every) - 1))]


def reached(
    assessment: Assessment, alarm: Alarm, topology: Topology, because: str = ""
) -> Assessment:
    """Return the assessment once it is known how far the trouble reaches, and whose it is.

    All replicas down, or many callers below a symptom that travels, is more urgent by one rank; one
    replica of many is less.
    """
    if because:
        return replace(assessment, because=f"{assessment.because}; {because}")
    if alarm.subject is None or alarm.is_forecast:
        return assessment
    workload = topology.workload(alarm.subject)
    unready, pods = topology.share_unready(workload)
    callers = sum(workload in called for called in topology.calls.values())
    if pods and unready == pods:
        rank, why = -1, f"all {pods} replicas are not ready" if pods > 1 else "its replica is down"
    elif callers >= _MANY_CALLERS and assessment.category in _FELT_BY_CALLERS:
        rank, why = -1, f"{callers} workloads call it"
    elif pods >= _MANY_REPLICAS and 0 < unready <= pods * _FEW:
        rank, why = 1, f"only {unready} of {pods} replicas are not ready"
    else:
        return assessment
    priority = _moved(assessment.priority, rank)
    moved = f"{why}, {priority}" if priority is not assessment.priority else why
    return replace(assessment, priority=priority, because=f"{assessment.because}; {moved}")


_MANY_CALLERS: Final = 5
_MANY_REPLICAS: Final = 10
_FEW: Final = 0.1
_FELT_BY_CALLERS: Final = frozenset({Category.LATENCY, Category.ERRORS, Category.AVAILABILITY})


def _outside_hours(alarm: Alarm, rules: AssessmentRules) -> str:
    """Say that nobody works with it at the time of the alarm, empty where somebody may."""
    namespace = alarm.subject.namespace if alarm.subject else ""
    for rule in rules.hours:
        if any(fnmatch.fnmatchcase(namespace, glob) for glob in rule.namespaces):
            at = alarm.started_at.astimezone(ZoneInfo(rule.zone))
            is_day = not rule.days or DAYS[at.weekday()] in rule.days
            if not (is_day and rule.opens <= at.time() < rule.closes):
                return f"{at:%a %H:%M} ({rule.zone}) is outside the hours of {namespace}"
    return ""


def _outside_production(alarm: Alarm, rules: AssessmentRules) -> str:
    """Say which namespace or cluster is not production, empty where both may be."""
    if rules.environment not in {Environment.UNKNOWN, Environment.PRODUCTION}:
        return f"{alarm.cluster.name} ({rules.environment}) is not production"
    labels = dict(alarm.labels)
    namespace = labels.get("namespace") or labels.get("Namespace") or ""
    if alarm.subject is not None:
        namespace = alarm.subject.namespace
    cluster = alarm.cluster.name if rules.environment is Environment.UNKNOWN else ""
    for place in (namespace, cluster):
        if any(fnmatch.fnmatchcase(place, glob) for glob in rules.not_production):
            return f"{place} is not production"
    return ""
