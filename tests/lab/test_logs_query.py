"""The Logs Insights language over the lab's records."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petops.lab.aws_requests import AwsRefusalError
from petops.lab.log_events import LogEvent, LogGroups
from petops.lab.log_patterns import matcher
from petops.lab.logs_language import commands
from petops.lab.logs_query import run
from tests.lab.hand_clock import BEGAN
from tests.lab.test_request_model import Shop

NOON = 1_795_435_200.0
EVENTS = [
    LogEvent(
        NOON + 60 * number,
        f"stream-{number % 2}",
        json.dumps(
            {
                "level": "ERROR" if number % 4 == 0 else "INFO",
                "took": number * 10,
                "kubernetes": {"pod_name": f"pod-{number % 3}", "labels": {"app.name": "shop"}},
                "log": f"answered in {number} ms for user-{number % 2}",
                "tags": ["a", number],
            }
        ),
    )
    for number in range(12)
]


def rows(text: str, limit: int = 1000) -> list[dict[str, str]]:
    found = run(commands(text), EVENTS, limit)
    return [{name: value for name, value in row if name != "@ptr"} for row in found.rows]


def test_without_a_command_for_it_time_and_message_are_shown_newest_first() -> None:
    found = rows("filter took > 90")
    assert [one["@timestamp"] for one in found] == [
        "2026-11-23 12:11:00.000",
        "2026-11-23 12:10:00.000",
    ]
    assert json.loads(found[0]["@message"])["took"] == 110


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ('level = "ERROR"', 3),
        ("level != 'ERROR'", 9),
        ("took >= 50 and took < 80", 3),
        ("took = 20 or took = 30", 2),
        ("not (took < 100)", 2),
        ("log like /in 1\\d ms/", 2),
        ("log like /USER-1/i", 6),
        ('log like "user-1"', 6),
        ("log not like /user-1/", 6),
        ("log =~ /^answered/", 12),
        ('level in ["ERROR", "WARN"]', 3),
        ('kubernetes.pod_name not in ["pod-0"]', 8),
        ("kubernetes.labels.app.name = 'shop'", 12),
        ("`kubernetes.labels.app.name` = 'shop'", 12),
        ("tags.1 = 3", 1),
        ("ispresent(nothing)", 0),
        ("not ispresent(nothing) and strlen(level) = 5", 3),
        ("took / 10 % 2 = 1", 6),
        ("took * 2 - 20 = 0", 1),
        ("@logStream = 'stream-1'", 6),
        ("tolower(level) = 'error' # a comment", 3),
    ],
)
def test_filters(condition: str, count: int) -> None:
    found = run(commands(f"filter {condition}"), EVENTS, 1000)
    assert (len(found.rows), found.matched, found.scanned) == (count, count, 12)


def test_fields_sort_and_limit() -> None:
    found = rows("fields took / 10 as n, level | sort n asc | limit 2")
    assert found == [{"n": "0", "level": "ERROR"}, {"n": "1", "level": "INFO"}]
    assert rows("fields took | sort level desc, took desc | limit 1") == [{"took": "110"}]
    assert rows("fields @timestamp as t | limit 1") == [{"t": "2026-11-23 12:11:00.000"}]
    assert rows("fields took | display level | limit 1") == [{"level": "INFO"}]


def test_stats_by_bins_and_fields() -> None:
    found = rows("stats count(*) as n, avg(took), max(took) by bin(5m) | sort n desc")
    assert {one["n"] for one in found} == {"5", "2"}
    by_time = rows("stats sum(took) as total by bin(5m) as at | sort at asc")
    assert by_time[0] == {"at": "2026-11-23 12:00:00.000", "total": "100"}
    by_pod = rows("stats count(*) by kubernetes.pod_name, level | sort kubernetes.pod_name")
    assert sum(int(one["count(*)"]) for one in by_pod) == 12
    assert rows("stats p50(took), pct(took, 100), median(took), min(level)") == [
        {"p50(took)": "55", "pct(took,100)": "110", "median(took)": "55", "min(level)": "ERROR"}
    ]
    assert rows("stats max(took) - min(took) as span, count_distinct(level) as levels") == [
        {"span": "110", "levels": "2"}
    ]
    assert rows("stats latest(took) as last, earliest(took) as first") == [
        {"last": "110", "first": "0"}
    ]
    assert rows("filter took > 1000 | stats count(*) as n") == [{"n": "0"}]


def test_parse_by_glob_and_by_expression() -> None:
    glob = 'parse log "answered in * ms for *" as ms, user | filter ms > 10 | fields ms, user'
    assert rows(glob) == [{"ms": "11", "user": "user-1"}]
    named = "parse log /in (?<ms>\\d+) ms/ | stats max(ms) as most"
    assert rows(named) == [{"most": "11"}]


def test_dedup_keeps_one_of_each() -> None:
    assert len(rows("fields level | dedup level")) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "fields",
        "filter",
        "filter level =",
        "stats took",
        "stats nosuch(took)",
        "limit many",
        "filter log like /(/",
        "filter log like /(a+)+$/",
        'parse log "* and *" as one',
        "fields level || limit 3",
        "filter " + "(" * 200 + "1" + ")" * 200,
        "fields bin(5m",
        "stats count(*) by bin(nothing)",
        "x" * 20_000,
    ],
)
def test_a_bad_query_is_malformed(text: str) -> None:
    with pytest.raises(AwsRefusalError) as refused:
        rows(text)
    assert refused.value.code == "MalformedQueryException"


WORDS = ["fields", "filter", "stats", "sort", "limit", "parse", "by", "as", "|", "(", ")", ","]
MORE = ["took", "level", "count(*)", "bin(5m)", "like", "/x/", '"*"', "3", "=", "and", "not", "-"]


@given(st.lists(st.sampled_from([*WORDS, *MORE]), max_size=12).map(" ".join) | st.text(max_size=40))
def test_any_text_is_run_or_malformed(text: str) -> None:
    try:
        found = rows(text)
    except AwsRefusalError:
        return
    assert all(isinstance(value, str) for one in found for value in one.values())


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("", 12),
        ("ERROR", 3),
        ('"in 1 ms"', 1),
        ("ERROR user-1", 0),
        ("-ERROR", 9),
        ("?ERROR ?user-1", 9),
        ("%in 1[01] ms%", 2),
        ('{ $.level = "ERR*" }', 3),
        ("{ $.took > 50 && $.took <= 80 }", 3),
        ('{ ($.level = "ERROR") || ($.took = 10) }', 4),
        ('{ $.kubernetes.pod_name != "pod-0" }', 8),
    ],
)
def test_filter_patterns(pattern: str, count: int) -> None:
    assert len([one for one in EVENTS if matcher(pattern)(one.message)]) == count


@given(st.text(max_size=40) | st.text('{}$.a=|&<>"?-% ', max_size=25))
def test_any_pattern_matches_or_is_refused(pattern: str) -> None:
    try:
        assert matcher(pattern)(EVENTS[0].message) in {True, False}
    except AwsRefusalError:
        return


def test_the_pods_own_lines_are_there() -> None:
    shop = Shop(history=timedelta(minutes=5))
    groups, now = LogGroups(shop.world), BEGAN.timestamp()
    found = list(groups.events("/aws/containerinsights/petops-lab/application", now - 60, now))
    assert found
    for event in found:
        document = json.loads(event.message)
        about = document["kubernetes"]
        assert now - 60 <= event.at < now
        assert about["pod_name"] in event.stream
        assert about["docker_id"] in event.stream
        pod = shop.world.store.get("pods", about["namespace_name"], about["pod_name"])
        assert pod["metadata"]["uid"] == about["pod_id"]


def test_records_of_pods_have_their_metrics() -> None:
    shop = Shop(history=timedelta(minutes=5))
    groups, now = LogGroups(shop.world), BEGAN.timestamp()
    events = list(groups.events("/aws/containerinsights/petops-lab/performance", now - 60, now))
    text = 'filter Type = "Pod" | stats avg(pod_memory_utilization_over_pod_limit) as m by Service'
    found = [dict(row) for row in run(commands(text), events, 100).rows]
    means = {row["Service"]: float(row["m"]) for row in found if "Service" in row and "m" in row}
    assert 20 < means["petsite"] < 60
    nodes = run(commands('filter Type="Node" | stats count(*) by NodeName'), events, 100)
    assert len(nodes.rows) == 3
