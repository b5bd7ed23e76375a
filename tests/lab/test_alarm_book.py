"""Alarms that people make: when they change their state, and the very events that say so."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petops.domain.alarm import AlarmState
from petops.domain.alarm_mapping import AlarmMapping
from petops.domain.subject import ClusterName
from petops.lab.alarm_book import AlarmBook
from petops.lab.alarm_events import Event
from petops.lab.alarm_operations import AlarmOperations
from petops.lab.alarm_rules import CompositeRule
from petops.lab.alarm_watch import AlarmWatch
from petops.lab.alarms import State
from petops.lab.aws_requests import AwsRefusalError, Given
from petops.lab.metric_points import Metric, Point
from petops.sources.alarm_events import parse_eventbridge
from petops.sources.cloudwatch_alarms import as_event
from tests.lab.figures import Figures

CLUSTER = ClusterName(name="petops-lab", account="111122223333", region="us-east-1")
OWN = "default-service-petsite-memory"
ARN = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:"


class Depths:
    """A source of the depth of some queues, that tests set."""

    def __init__(self) -> None:
        self.found: dict[str, list[Point]] = {}

    def metrics(self, name: str = "") -> Iterator[Metric]:
        assert name in {"", "depth"}
        for queue in self.found:
            yield Metric.of("Own", "depth", {"Queue": queue})

    def points(self, metric: Metric, start: float, end: float) -> Iterable[Point]:
        queue = dict(metric.dimensions).get("Queue", "")
        return [one for one in self.found.get(queue, ()) if start <= one.at < end]


class Booked:
    """A book over a small world and a source of the tests' own."""

    def __init__(self) -> None:
        self.world = Figures()
        self.source = Depths()
        self.events: list[Event] = []
        watch = AlarmWatch(self.world, CLUSTER, self.world.now)
        self.book = AlarmBook(watch, self.source, CLUSTER, self.world.now, self.events.append)
        self.operations = AlarmOperations(self.book, CLUSTER, lambda: self.world.now).served()

    def call(self, operation: str, **given_: Any) -> Any:
        return self.operations[operation](given_)

    def put(self, name: str = "deep", **more: Any) -> None:
        usual = {
            "AlarmName": name,
            "Namespace": "Own",
            "MetricName": "depth",
            "Dimensions": [{"Name": "Queue", "Value": "q"}],
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 5.0,
            "ComparisonOperator": "GreaterThanThreshold",
        }
        self.call("PutMetricAlarm", **{**usual, **more})

    def measure(self, value: float, queue: str = "q", seconds_ago: float = 1) -> None:
        at = self.world.now.timestamp() - seconds_ago
        self.source.found.setdefault(queue, []).append(Point(at, value))

    def pass_seconds(self, seconds: float) -> list[tuple[str, str, str]]:
        """Let time pass and the book look; return the changes: name, before, after."""
        before = len(self.events)
        self.world.pass_time(seconds)
        self.book.look(self.world.now)
        return [shown(event) for event in self.events[before:]]

    def described(self, name: str, kind: str = "MetricAlarm") -> Any:
        answer = self.call("DescribeAlarms", AlarmNames=[name], AlarmTypes=[kind])
        (found,) = answer[f"{kind}s"]
        return found


def shown(event: Event) -> tuple[str, str, str]:
    detail = event["detail"]
    before = detail.get("previousState", {}).get("value", "")
    return detail["alarmName"], before, detail["state"]["value"]


@pytest.fixture
def booked() -> Booked:
    return Booked()


def test_the_labs_own_alarms_are_there_in_ok(booked: Booked) -> None:
    answer = booked.call("DescribeAlarms")
    assert {one["StateValue"] for one in answer["MetricAlarms"]} == {"OK"}
    found = booked.described(OWN)
    assert found["Namespace"] == "ContainerInsights"
    assert found["Statistic"] == "Maximum"
    assert {"Name": "Service", "Value": "service-petsite"} in found["Dimensions"]
    assert booked.events == []


def test_the_labs_own_alarms_fire_as_before(booked: Booked) -> None:
    booked.world.pass_time(12, working_set_mib=120)
    booked.book.look(booked.world.now)
    (event,) = booked.events
    assert shown(event) == (OWN, "OK", "ALARM")
    assert event["detail"]["state"]["reason"].startswith("Threshold Crossed: 1 out of the last 1")
    assert json.loads(event["detail"]["state"]["reasonData"])["threshold"] == 80.0
    assert booked.described(OWN)["StateValue"] == "ALARM"


def test_an_alarm_goes_through_its_three_states(booked: Booked) -> None:
    booked.put()
    assert booked.described("deep")["StateValue"] == "INSUFFICIENT_DATA"
    booked.pass_seconds(3)
    booked.measure(9)
    assert booked.pass_seconds(3) == [("deep", "INSUFFICIENT_DATA", "ALARM")]
    booked.pass_seconds(60)
    booked.measure(2)
    assert booked.pass_seconds(60) == [("deep", "ALARM", "OK")]
    assert booked.pass_seconds(150) == [("deep", "OK", "INSUFFICIENT_DATA")]
    detail = booked.events[-1]["detail"]
    assert detail["state"]["reason"] == "Insufficient Data: 1 datapoint was unknown."
    assert "reasonData" not in detail["state"]
    assert detail["previousState"]["reason"].startswith("Threshold Crossed: 1 out of the last 1")


def test_the_event_is_the_one_that_eventbridge_delivers(booked: Booked) -> None:
    booked.put(AlarmDescription="too deep")
    booked.measure(9)
    booked.pass_seconds(3)
    (event,) = booked.events
    assert event["id"]
    (metric,) = event["detail"]["configuration"]["metrics"]
    assert metric.pop("id")
    data = json.loads(event["detail"]["state"].pop("reasonData"))
    assert {**event, "id": ""} == {
        "version": "0",
        "id": "",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": "111122223333",
        "time": "2026-11-23T07:00:03Z",
        "region": "us-east-1",
        "resources": [ARN + "deep"],
        "detail": {
            "alarmName": "deep",
            "configuration": {
                "description": "too deep",
                "metrics": [
                    {
                        "metricStat": {
                            "metric": {
                                "dimensions": {"Queue": "q"},
                                "name": "depth",
                                "namespace": "Own",
                            },
                            "period": 60,
                            "stat": "Maximum",
                        },
                        "returnData": True,
                    }
                ],
            },
            "previousState": {
                "reason": "Unchecked: Initial alarm creation",
                "timestamp": "2026-11-23T07:00:00.000+0000",
                "value": "INSUFFICIENT_DATA",
            },
            "state": {
                "reason": "Threshold Crossed: 1 out of the last 1 datapoints "
                "[9.0 (23/11/26 06:59:00)] was greater than the threshold (5.0) "
                "(minimum 1 datapoint for INSUFFICIENT_DATA -> ALARM transition).",
                "timestamp": "2026-11-23T07:00:03.000+0000",
                "value": "ALARM",
            },
        },
    }
    assert data["recentDatapoints"] == [9.0]
    assert (data["statistic"], data["period"], data["threshold"]) == ("Maximum", 60, 5.0)
    (alarm,) = parse_eventbridge(event, AlarmMapping())
    assert alarm.state is AlarmState.ALARM


def test_m_out_of_n_and_missing_data(booked: Booked) -> None:
    booked.put(EvaluationPeriods=3, DatapointsToAlarm=2, Statistic="Average")
    booked.put("quiet", TreatMissingData="notBreaching", Dimensions=[])
    booked.put("alert", TreatMissingData="breaching", Dimensions=[])
    booked.put("kept", TreatMissingData="ignore", Dimensions=[])
    for minutes, value in ((3, 9), (2, 1), (1, 9)):
        booked.measure(value, seconds_ago=60 * minutes - 30)
    changes = booked.pass_seconds(2)
    assert sorted(changes) == [
        ("alert", "INSUFFICIENT_DATA", "ALARM"),
        ("deep", "INSUFFICIENT_DATA", "ALARM"),
        ("quiet", "INSUFFICIENT_DATA", "OK"),
    ]
    reason = booked.described("deep")["StateReason"]
    assert reason.startswith("Threshold Crossed: 2 out of the last 3 datapoints [9.0 (")
    assert "were greater than the threshold (5.0) (minimum 2 datapoints" in reason


def test_an_alarm_on_math(booked: Booked) -> None:
    metric = {"Namespace": "Own", "MetricName": "depth"}
    stat = {
        "Metric": {**metric, "Dimensions": [{"Name": "Queue", "Value": "q"}]},
        "Period": 60,
        "Stat": "p90",
    }
    booked.call(
        "PutMetricAlarm",
        AlarmName="sum",
        Metrics=[
            {"Id": "e1", "Expression": "m1 * 2", "Label": "twice"},
            {"Id": "m1", "MetricStat": stat, "ReturnData": False},
        ],
        EvaluationPeriods=1,
        Threshold=15,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    booked.measure(8, seconds_ago=30)
    assert booked.pass_seconds(2) == [("sum", "INSUFFICIENT_DATA", "ALARM")]
    first, second = booked.events[-1]["detail"]["configuration"]["metrics"]
    assert first == {"expression": "m1 * 2", "id": "e1", "label": "twice", "returnData": True}
    assert second["metricStat"]["stat"] == "p90"
    assert booked.described("sum")["Metrics"][1]["MetricStat"]["Stat"] == "p90"


def test_setting_a_state_puts_the_event_on_eventbridge_and_holds_for_a_minute(
    booked: Booked,
) -> None:
    booked.call(
        "SetAlarmState",
        AlarmName=OWN,
        StateValue="ALARM",
        StateReason="a drill",
        StateReasonData='{"drill":true}',
    )
    (event,) = booked.events
    assert shown(event) == (OWN, "OK", "ALARM")
    assert event["detail"]["state"]["reason"] == "a drill"
    assert event["detail"]["state"]["reasonData"] == '{"drill":true}'
    assert event["detail"]["previousState"]["value"] == "OK"
    assert booked.pass_seconds(12) == []
    assert booked.pass_seconds(24) == []
    assert booked.pass_seconds(30) == [(OWN, "ALARM", "OK")]
    booked.call("SetAlarmState", AlarmName=OWN, StateValue="OK", StateReason="the same")
    assert len(booked.events) == 2, "no change is no event"


def test_a_described_alarm_is_read_by_petops(booked: Booked) -> None:
    booked.call("SetAlarmState", AlarmName=OWN, StateValue="ALARM", StateReason="a drill")
    found = booked.described(OWN)
    found["StateUpdatedTimestamp"] = booked.world.now
    (alarm,) = parse_eventbridge(as_event(found), AlarmMapping())
    assert (alarm.name, alarm.state) == (OWN, AlarmState.ALARM)
    assert alarm.subject is not None


def test_a_composite_alarm_follows_its_children(booked: Booked) -> None:
    booked.put("one")
    booked.put("two", Dimensions=[{"Name": "Queue", "Value": "r"}])
    booked.call(
        "PutCompositeAlarm",
        AlarmName="both",
        AlarmRule='ALARM("one") AND NOT OK(two)',
        ActionsSuppressor=OWN,
        ActionsSuppressorWaitPeriod=120,
        ActionsSuppressorExtensionPeriod=180,
    )
    assert booked.described("both", "CompositeAlarm")["StateValue"] == "OK"
    booked.events.clear()
    booked.measure(9)
    assert booked.pass_seconds(2) == [
        ("one", "INSUFFICIENT_DATA", "ALARM"),
        ("both", "OK", "ALARM"),
    ]
    detail = booked.events[-1]["detail"]
    assert detail["configuration"] == {
        "alarmRule": 'ALARM("one") AND NOT OK(two)',
        "actionsSuppressor": OWN,
        "actionsSuppressorWaitPeriod": 120,
        "actionsSuppressorExtensionPeriod": 180,
    }
    assert detail["state"]["actionsSuppressedBy"] == "WaitPeriod"
    assert detail["state"]["reason"] == (
        f"{ARN}one transitioned to ALARM at Monday 23 November, 2026 07:00:02 UTC"
    )
    triggers = json.loads(detail["state"]["reasonData"])["triggeringAlarms"]
    assert [one["arn"] for one in triggers] == [ARN + "one", ARN + "two"]
    assert detail["previousState"]["reason"].endswith(
        "both was created and its alarm rule evaluates to OK"
    )
    (alarm,) = parse_eventbridge(booked.events[-1], AlarmMapping())
    assert alarm.state is AlarmState.ALARM
    children = booked.call("DescribeAlarms", ChildrenOfAlarmName="both")["MetricAlarms"]
    assert [one["AlarmName"] for one in children] == ["one", "two"]


def test_a_grouped_query_has_contributors(booked: Booked) -> None:
    text = 'SELECT MAX(depth) FROM SCHEMA("Own", Queue) GROUP BY Queue ORDER BY MAX() DESC'
    booked.call(
        "PutMetricAlarm",
        AlarmName="any",
        Metrics=[{"Id": "m1", "Expression": text, "Period": 60}],
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
    )
    booked.measure(9, "high")
    booked.measure(1, "low")
    booked.pass_seconds(3)
    contributor, alarm = booked.events
    assert contributor["detail-type"] == "CloudWatch Alarm Contributor State Change"
    assert contributor["resources"] == [ARN + "any"]
    detail = contributor["detail"]
    assert set(detail) == {"alarmName", "alarmContributor", "state", "configuration"}
    assert detail["alarmContributor"]["attributes"] == {"Queue": "high"}
    assert detail["state"]["reason"] == (
        "Threshold Crossed: 1 datapoint was greater than the threshold (5.0). The most recent "
        "datapoint which crossed the threshold: [9.0 (23/11/26 06:59:00)]."
    )
    (metric,) = detail["configuration"]["metrics"]
    assert metric == {"id": "m1", "expression": text, "returnData": True, "period": 60}
    assert shown(alarm) == ("any", "INSUFFICIENT_DATA", "ALARM")
    assert alarm["detail"]["state"]["reason"] == "1 out of 2 time series evaluated to ALARM"
    (read,) = parse_eventbridge(contributor, AlarmMapping())
    assert (read.metric, dict(read.labels)) == (
        "depth",
        {"Queue": "high", "MetricNamespace": "Own"},
    )
    (listed,) = booked.call("DescribeAlarmContributors", AlarmName="any")["AlarmContributors"]
    assert listed["ContributorAttributes"] == {"Queue": "high"}
    booked.pass_seconds(50)
    booked.measure(1, "high")
    booked.measure(1, "low")
    booked.pass_seconds(60)
    assert [one["detail"]["state"]["value"] for one in booked.events[2:]] == ["OK", "OK"]


def test_history_tells_what_happened(booked: Booked) -> None:
    booked.put()
    booked.measure(9)
    booked.pass_seconds(3)
    booked.call("DeleteAlarms", AlarmNames=["deep"])
    items = booked.call("DescribeAlarmHistory", AlarmName="deep")["AlarmHistoryItems"]
    assert [one["HistorySummary"] for one in items] == [
        'Alarm "deep" deleted',
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        'Alarm "deep" created',
    ]
    data = json.loads(items[1]["HistoryData"])
    assert data["newState"]["stateReasonData"]["threshold"] == 5.0
    updates = booked.call("DescribeAlarmHistory", HistoryItemType="StateUpdate", MaxRecords=1)
    assert len(updates["AlarmHistoryItems"]) == 1


def test_an_own_alarm_can_be_changed_and_deleted_for_good(booked: Booked) -> None:
    booked.put(OWN)
    booked.measure(9)
    assert (OWN, "OK", "ALARM") in booked.pass_seconds(3)
    booked.call("DeleteAlarms", AlarmNames=[OWN])
    booked.world.pass_time(12, working_set_mib=120)
    booked.book.look(booked.world.now)
    assert OWN not in booked.book.states


def test_lists_are_filtered_and_come_in_pages(booked: Booked) -> None:
    for number in range(7):
        booked.put(f"deep-{number}")
    first = booked.call("DescribeAlarms", AlarmNamePrefix="deep", MaxRecords=4)
    rest = booked.call(
        "DescribeAlarms", AlarmNamePrefix="deep", MaxRecords=4, NextToken=first["NextToken"]
    )
    names = [one["AlarmName"] for one in first["MetricAlarms"] + rest["MetricAlarms"]]
    assert names == [f"deep-{number}" for number in range(7)]
    assert "NextToken" not in rest
    states = booked.call("DescribeAlarms", StateValue="INSUFFICIENT_DATA")["MetricAlarms"]
    assert len(states) == 7
    dimensions = [{"Name": "Queue", "Value": "q"}]
    found = booked.call(
        "DescribeAlarmsForMetric", Namespace="Own", MetricName="depth", Dimensions=dimensions
    )
    assert len(found["MetricAlarms"]) == 7


@pytest.mark.parametrize(
    ("operation", "given_", "code"),
    [
        (
            "SetAlarmState",
            {"AlarmName": "no", "StateValue": "OK", "StateReason": ""},
            "ResourceNotFound",
        ),
        (
            "SetAlarmState",
            {"AlarmName": OWN, "StateValue": "BAD", "StateReason": ""},
            "ValidationError",
        ),
        ("SetAlarmState", {"AlarmName": OWN, "StateValue": "OK"}, "ValidationError"),
        (
            "SetAlarmState",
            {"AlarmName": OWN, "StateValue": "OK", "StateReason": "", "StateReasonData": "{"},
            "InvalidFormat",
        ),
        ("DeleteAlarms", {"AlarmNames": ["no"]}, "ResourceNotFound"),
        ("DeleteAlarms", {}, "ValidationError"),
        ("DescribeAlarms", {"AlarmNames": "x"}, "ValidationError"),
        ("DescribeAlarms", {"NextToken": "x"}, "InvalidNextToken"),
        ("PutMetricAlarm", {}, "ValidationError"),
        ("PutCompositeAlarm", {"AlarmName": "c", "AlarmRule": "ALARM(none)"}, "ValidationError"),
        ("PutCompositeAlarm", {"AlarmName": "c", "AlarmRule": "ALARM("}, "ValidationError"),
        ("PutCompositeAlarm", {"AlarmName": "c", "AlarmRule": "ALARM(c)"}, "ValidationError"),
    ],
)
def test_bad_requests_are_refused(
    booked: Booked, operation: str, given_: dict[str, Any], code: str
) -> None:
    with pytest.raises(AwsRefusalError) as refused:
        booked.call(operation, **given_)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "change",
    [
        {"Period": 61},
        {"Statistic": "Median"},
        {"ComparisonOperator": "Like"},
        {"EvaluationPeriods": 0},
        {"EvaluationPeriods": 1440, "Period": 86400},
        {"DatapointsToAlarm": 2},
        {"Threshold": "high"},
        {"AlarmName": ""},
        {"TreatMissingData": "never"},
        {"Metrics": []},
    ],
)
def test_bad_definitions_are_refused(booked: Booked, change: dict[str, Any]) -> None:
    with pytest.raises(AwsRefusalError):
        booked.put(**{"name": "bad", **change} if "AlarmName" not in change else {"name": ""})


def test_an_alarm_that_cannot_be_worked_out_has_no_data(booked: Booked) -> None:
    booked.call(
        "PutMetricAlarm",
        AlarmName="odd",
        Metrics=[{"Id": "e1", "Expression": "nobody + 1", "Period": 60}],
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    booked.call("SetAlarmState", AlarmName="odd", StateValue="OK", StateReason="")
    assert booked.pass_seconds(30) == []
    assert booked.pass_seconds(timedelta(minutes=1).total_seconds()) == [
        ("odd", "OK", "INSUFFICIENT_DATA")
    ]


STATES = {"a": State.ALARM, "b": State.OK, "c": State.INSUFFICIENT_DATA}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("ALARM(a)", True),
        ("alarm('a') and ok(\"b\")", True),
        ("ALARM(b) OR INSUFFICIENT_DATA(c)", True),
        ("NOT (ALARM(a) AND OK(b))", False),
        ("NOT ALARM(a) OR ALARM(a) AND OK(b)", True),
        ("TRUE AND NOT FALSE", True),
        ("INSUFFICIENT_DATA(nobody)", True),
        (f"ALARM({ARN}a)", True),
    ],
)
def test_rules(text: str, holds: bool) -> None:
    assert CompositeRule(text).holds(STATES) is holds


WORDS = ["ALARM(a)", "OK(b)", "AND", "OR", "NOT", "(", ")", "TRUE", "ALARM(", "x"]


@given(st.lists(st.sampled_from(WORDS), max_size=10).map(" ".join) | st.text(max_size=30))
def test_any_rule_holds_or_is_refused(text: str) -> None:
    try:
        assert CompositeRule(text).holds(STATES) in {True, False}
    except AwsRefusalError:
        return


def test_given_is_strict_about_numbers() -> None:
    for value in (True, float("nan"), "3", None, 10**400):
        with pytest.raises(AwsRefusalError):
            Given({"n": value}, "ValidationError").number("n")


def test_actions_are_switched_and_tags_kept(booked: Booked) -> None:
    tags = [{"Key": "team", "Value": "pets"}]
    booked.put(Tags=tags)
    arn = ARN + "deep"
    assert booked.call("ListTagsForResource", ResourceARN=arn) == {"Tags": tags}
    more = [{"Key": "a", "Value": "b"}]
    booked.call("TagResource", ResourceARN=arn, Tags=more)
    booked.call("UntagResource", ResourceARN=arn, TagKeys=["team"])
    assert booked.call("ListTagsForResource", ResourceARN=arn) == {"Tags": more}
    booked.call("DisableAlarmActions", AlarmNames=["deep", "nobody"])
    assert booked.described("deep")["ActionsEnabled"] is False
    booked.call("EnableAlarmActions", AlarmNames=["deep"])
    assert booked.described("deep")["ActionsEnabled"] is True
    with pytest.raises(AwsRefusalError, match="does not exist"):
        booked.call("ListTagsForResource", ResourceARN=arn + "x")
    with pytest.raises(AwsRefusalError, match="together"):
        booked.put(ExtendedStatistic="p99")
