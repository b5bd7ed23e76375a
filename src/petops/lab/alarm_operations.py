"""CloudWatch's operations on alarms."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from petops.domain.subject import ClusterName
from petops.lab.alarm_book import AlarmBook, Entry
from petops.lab.alarm_definitions import (
    WRONG,
    CompositeAlarm,
    composite_alarm,
    described,
    metric_alarm,
)
from petops.lab.alarm_events import alarm_arn
from petops.lab.alarm_history import Happened
from petops.lab.alarms import State
from petops.lab.aws_requests import AwsRefusalError, Given, page
from petops.lab.metric_queries import read_dimensions

Json = dict[str, Any]

_BAD_TOKEN: Final = "InvalidNextToken"  # noqa: S105 - a code
_STATES: Final = tuple(str(one) for one in State)
_KINDS: Final = ("MetricAlarm", "CompositeAlarm")
_MOST_NAMES: Final = 100
_A_PAGE: Final = 50
_MOST_TAGS: Final = 50


class AlarmOperations:
    """Answers over one book of alarms."""

    def __init__(self, book: AlarmBook, cluster: ClusterName, now: Callable[[], datetime]) -> None:
        self._book, self._cluster, self._now = book, cluster, now
        self._tags: dict[str, dict[str, str]] = {}

    def served(self) -> Mapping[str, Callable[[Mapping[str, Any]], Json]]:
        """Return the operations by their names."""
        made: Mapping[str, Callable[[Given], Json]] = {
            "DescribeAlarms": self.listed,
            "DescribeAlarmsForMetric": self.of_metric,
            "DescribeAlarmHistory": self.history,
            "DescribeAlarmContributors": self.contributors,
            "SetAlarmState": self.set_state,
            "PutMetricAlarm": self.put_metric,
            "PutCompositeAlarm": self.put_composite,
            "DeleteAlarms": self.delete,
            "EnableAlarmActions": lambda given: self.switch(given, on=True),
            "DisableAlarmActions": lambda given: self.switch(given, on=False),
            "ListTagsForResource": self.tags,
            "TagResource": self.tag,
            "UntagResource": self.untag,
        }
        return {name: _reading(answer) for name, answer in made.items()}

    def listed(self, given: Given) -> Json:
        """Answer DescribeAlarms; without AlarmTypes only metric alarms are meant."""
        names = given.texts("AlarmNames", _MOST_NAMES)
        prefix, state = given.text("AlarmNamePrefix", ""), ""
        kinds = given.texts("AlarmTypes", 3) or ["MetricAlarm"]
        if "StateValue" in given:
            state = given.choice("StateValue", _STATES)
        if names and prefix:
            raise given.refuse("AlarmNames and AlarmNamePrefix cannot be given together.")
        found = [
            entry
            for name, entry in sorted(self._book.entries.items())
            if (not names or name in names)
            and name.startswith(prefix)
            and state in {"", str(entry.standing.state)}
            and _kind(entry) in kinds
            and self._is_related(given, name, entry)
        ]
        size = given.integer("MaxRecords", 1, 100, _A_PAGE)
        shown, token = page(found, given, max(size, len(names)), _BAD_TOKEN)
        made: Json = {
            "MetricAlarms": self._shown(shown, "MetricAlarm"),
            "CompositeAlarms": self._shown(shown, "CompositeAlarm"),
        }
        return made | ({"NextToken": token} if token else {})

    def of_metric(self, given: Given) -> Json:
        """Answer DescribeAlarmsForMetric."""
        wanted = (given.text("Namespace"), given.text("MetricName"), read_dimensions(given))
        found = []
        for entry in self._book.entries.values():
            shown = described(entry.definition)
            pairs = {one["Name"]: one["Value"] for one in shown.get("Dimensions", ())}
            if (shown.get("Namespace"), shown.get("MetricName"), pairs) == wanted:
                found.append(entry)
        return {"MetricAlarms": self._shown(found, "MetricAlarm")}

    def history(self, given: Given) -> Json:
        """Answer DescribeAlarmHistory, newest first unless told else."""
        name, kind = given.text("AlarmName", ""), given.text("HistoryItemType", "")
        kinds = given.texts("AlarmTypes", 3) or list(_KINDS)
        low = given.moment("StartDate", 0.0)
        high = given.moment("EndDate", self._now().timestamp() + 1)
        order = ("TimestampDescending", "TimestampAscending")
        is_rising = given.choice("ScanBy", order, order[0]) == order[1]
        found = [
            one
            for one in self._book.history
            if name in {"", one.alarm}
            and kind in {"", one.kind}
            and _KINDS[one.is_composite] in kinds
            and low <= one.at.timestamp() <= high
        ]
        ordered = found if is_rising else found[::-1]
        size = given.integer("MaxRecords", 1, 100, 100)
        shown, token = page(ordered, given, size, _BAD_TOKEN)
        made: Json = {"AlarmHistoryItems": [_item(one) for one in shown]}
        return made | ({"NextToken": token} if token else {})

    def contributors(self, given: Given) -> Json:
        """Answer DescribeAlarmContributors: those in ALARM."""
        name = given.text("AlarmName")
        entry = self._book.entries.get(name)
        if entry is None:
            raise AwsRefusalError("ResourceNotFoundException", f"No alarm {name[:255]}", 404)
        return {
            "AlarmContributors": [
                {
                    "ContributorId": one.id,
                    "ContributorAttributes": dict(one.attributes),
                    "StateReason": one.standing.reason,
                    "StateTransitionedTimestamp": one.standing.since.timestamp(),
                }
                for one in entry.contributors.values()
                if one.standing.state is State.ALARM
            ]
        }

    def set_state(self, given: Given) -> Json:
        """Answer SetAlarmState, and put the event on EventBridge."""
        name, reason = given.text("AlarmName"), given.text("StateReason", None, 1023)
        state = State(given.choice("StateValue", _STATES))
        data = given.text("StateReasonData", "", 4000)
        try:
            json.loads(data or "{}")
        except (ValueError, RecursionError):
            raise AwsRefusalError("InvalidFormat", "StateReasonData is no JSON") from None
        self._book.set_state(name, state, reason, data, self._now())
        return {}

    def put_metric(self, given: Given) -> Json:
        """Answer PutMetricAlarm."""
        made = metric_alarm(given)
        self._label(given, made.name)
        self._book.put(made, self._now())
        return {}

    def put_composite(self, given: Given) -> Json:
        """Answer PutCompositeAlarm."""
        made = composite_alarm(given)
        self._label(given, made.name)
        self._book.put(made, self._now())
        return {}

    def delete(self, given: Given) -> Json:
        """Answer DeleteAlarms."""
        names = given.texts("AlarmNames", _MOST_NAMES, required=True)
        self._book.delete(names, self._now())
        for name in names:
            self._tags.pop(name, None)
        return {}

    def switch(self, given: Given, *, on: bool) -> Json:
        """Answer EnableAlarmActions and DisableAlarmActions; names that are unknown do no harm."""
        for name in given.texts("AlarmNames", _MOST_NAMES, required=True):
            entry = self._book.entries.get(name)
            if entry is not None:
                entry.definition = replace(entry.definition, actions_enabled=on)
        return {}

    def tags(self, given: Given) -> Json:
        """Answer ListTagsForResource."""
        held = self._tags.get(self._of_arn(given), {})
        return {"Tags": [{"Key": key, "Value": value} for key, value in held.items()]}

    def tag(self, given: Given) -> Json:
        """Answer TagResource."""
        name = self._of_arn(given)
        held = {**self._tags.get(name, {}), **_pairs(given)}
        if len(held) > _MOST_TAGS:
            raise given.refuse(f"A resource has at most {_MOST_TAGS} tags.")
        self._tags[name] = held
        return {}

    def untag(self, given: Given) -> Json:
        """Answer UntagResource."""
        name, keys = self._of_arn(given), given.texts("TagKeys", _MOST_TAGS, required=True)
        held = self._tags.get(name, {})
        self._tags[name] = {key: value for key, value in held.items() if key not in keys}
        return {}

    def _label(self, given: Given, name: str) -> None:
        """Take the tags of an alarm that is new; those of another are left as they are."""
        pairs = _pairs(given)
        if name not in self._book.entries and pairs:
            self._tags[name] = pairs

    def _of_arn(self, given: Given) -> str:
        arn = given.text("ResourceARN")
        name = arn.partition(":alarm:")[2]
        if name not in self._book.entries or arn != alarm_arn(name, self._cluster):
            raise AwsRefusalError("ResourceNotFoundException", f"{arn[:255]} does not exist", 404)
        return name

    def _is_related(self, given: Given, name: str, entry: Entry) -> bool:
        """Say whether an alarm is a child or a parent of the one that is asked about."""
        if "ChildrenOfAlarmName" in given:
            parent = self._book.entries.get(given.text("ChildrenOfAlarmName"))
            found = parent.definition if parent else None
            return isinstance(found, CompositeAlarm) and name in found.rule.names
        if "ParentsOfAlarmName" in given:
            child, own = given.text("ParentsOfAlarmName"), entry.definition
            return isinstance(own, CompositeAlarm) and child in own.rule.names
        return True

    def _shown(self, entries: Iterable[Entry], kind: str) -> list[Json]:
        return [self._described(entry) for entry in entries if _kind(entry) == kind]

    def _described(self, entry: Entry) -> Json:
        standing = entry.standing
        made = {
            **described(entry.definition),
            "AlarmArn": alarm_arn(entry.definition.name, self._cluster),
            "AlarmConfigurationUpdatedTimestamp": entry.configured.timestamp(),
            "StateValue": str(standing.state),
            "StateReason": standing.reason,
            "StateUpdatedTimestamp": standing.since.timestamp(),
            "StateTransitionedTimestamp": (standing.transitioned or standing.since).timestamp(),
        }
        if standing.data:
            made["StateReasonData"] = standing.data
        if standing.suppressed:
            made["ActionsSuppressedBy"] = standing.suppressed
            made["ActionsSuppressedReason"] = f"Actions suppressed by {standing.suppressed}"
        return made


def _reading(answer: Callable[[Given], Json]) -> Callable[[Mapping[str, Any]], Json]:
    return lambda body: answer(Given(body, WRONG))


def _pairs(given: Given) -> dict[str, str]:
    if "Tags" not in given:
        return {}
    return {
        one.text("Key", None, 128): one.text("Value", "", 256)
        for one in given.parts("Tags", _MOST_TAGS)
    }


def _kind(entry: Entry) -> str:
    return _KINDS[isinstance(entry.definition, CompositeAlarm)]


def _item(one: Happened) -> Json:
    made: Json = {
        "AlarmName": one.alarm,
        "AlarmType": _KINDS[one.is_composite],
        "Timestamp": one.at.astimezone(UTC).timestamp(),
        "HistoryItemType": one.kind,
        "HistorySummary": one.summary,
        "HistoryData": one.data,
    }
    if one.contributor is not None:
        made["AlarmContributorId"] = one.contributor.id
        made["AlarmContributorAttributes"] = dict(one.contributor.attributes)
    return made
