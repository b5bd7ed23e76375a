"""Everything that is journaled or sent comes back as it was."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import cast, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Drawing
from hypothesis import strategies as st

from petops import wire
from petops.domain import events as ev
from petops.domain.alarm import Alarm, AlarmSource, AlarmState, Assessment, Category, Priority
from petops.domain.change import Change
from petops.domain.evidence import Answer, Asked, Unknown, Window
from petops.domain.facts import AffectedPods, Container, Fact, Pod
from petops.domain.incident import Board
from petops.domain.policy import Identity
from petops.domain.requests import AnyRequest, ApproveRemedy, RejectRemedy
from petops.domain.subject import ClusterName, Kind, Subject
from petops.errors import PetopsError, UsageError

NOW = datetime(2026, 11, 23, 6, 43, 7, 120_001, tzinfo=UTC)
CLUSTER = ClusterName(name="pets", account="111122223333", region="eu-west-1")
SUBJECT = Subject(cluster=CLUSTER, kind=Kind.DEPLOYMENT, namespace="default", name="search")
ALARM = Alarm(
    name="memory high",
    source=AlarmSource.CLOUDWATCH,
    fingerprint="f",
    event_id="e",
    state=AlarmState.ALARM,
    cluster=CLUSTER,
    started_at=NOW,
    subject=SUBJECT,
    labels=(("team", "pets"),),
)
OPENED = ev.IncidentOpened(
    at=NOW,
    request="r-1",
    alarm=ALARM,
    assessment=Assessment(category=Category.MEMORY, priority=Priority.P1, because="so"),
)
READABLE = tuple(kind for kind in get_args(ev.Event) if kind is not ev.Unreadable)

st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
st.register_type_strategy(float, st.floats(allow_nan=False))
st.register_type_strategy(
    Subject,
    st.builds(
        Subject, cluster=..., kind=st.just(Kind.POD), name=st.just("p-1"), namespace=st.just("a")
    ),
)


def entry(event: ev.Event, seq: int = 1, number: int = 1, incident: str = "INC-0001") -> ev.Entry:
    return ev.Entry(seq=seq, incident=incident, number=number, event=event)


@pytest.mark.parametrize("kind", READABLE, ids=wire.kind_of)
@settings(
    max_examples=15,
    deadline=None,
    phases=[Drawing.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_every_event_comes_back(kind: type[ev.Event], data: st.DataObject) -> None:
    event = cast("ev.Event", data.draw(st.builds(kind)))
    tag, text = wire.event_to_json(event)
    assert tag == wire.kind_of(kind)
    assert json.loads(text)["kind"] == tag
    assert wire.event_from_json(tag, text, NOW) == event
    assert wire.entry_from_json(wire.entry_to_json(entry(event))) == entry(event)


@pytest.mark.parametrize("kind", get_args(AnyRequest), ids=wire.kind_of)
@settings(
    max_examples=15,
    deadline=None,
    phases=[Drawing.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_every_request_comes_back(kind: type[AnyRequest], data: st.DataObject) -> None:
    text = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)
    fields = (
        "id",
        "incident",
        "digest",
        "because",
        "mode",
        "surface",
        "part",
        "channel",
        "message",
    )
    named = dict.fromkeys(fields, text)
    wanted = {name: one for name, one in named.items() if name in kind.__dataclass_fields__}
    request = cast("AnyRequest", data.draw(st.builds(kind, **wanted)))
    assert wire.request_from_json(wire.request_to_json(request)) == request


@pytest.mark.parametrize("union", [Fact, Change, ev.Event, AnyRequest], ids=str)
def test_no_two_members_of_a_union_share_a_kind(union: object) -> None:
    kinds = [wire.kind_of(one) for one in get_args(union)]
    assert len(set(kinds)) == len(kinds) > 1


def test_what_stands_in_the_journal_stays_as_it_is() -> None:
    kind, text = wire.event_to_json(
        ev.RemedyApproved(
            at=NOW, request="r", by=Identity(user="ana", channel="socket"), digest="sha256:1"
        )
    )
    assert kind == "remedy-approved"
    assert text == (
        '{"kind":"remedy-approved","at":"2026-11-23T06:43:07.120001Z","request":"r",'
        '"by":{"user":"ana","channel":"socket","groups":[]},"digest":"sha256:1"}'
    )


def test_times_are_in_utc_whatever_they_were() -> None:
    there = ev.Noted(at=NOW.astimezone(timezone(timedelta(hours=2))), text="x")
    kind, text = wire.event_to_json(there)
    assert json.loads(text)["at"] == "2026-11-23T06:43:07.120001Z"
    assert wire.event_from_json(kind, text, NOW).at.tzinfo is UTC


def test_a_time_without_a_zone_is_never_written() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        wire.event_to_json(ev.Noted(at=NOW.replace(tzinfo=None), text="x"))


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_numbers_that_json_does_not_have_come_back(value: float) -> None:
    event = ev.StepUnanswered(at=NOW, unknown=Unknown(step="s", why="w", seconds=value))
    assert wire.event_from_json(*wire.event_to_json(event), NOW) == event


UNREADABLE = {
    "a kind of a later version": ("remedy-paused", '{"kind":"remedy-paused","request":"r-9"}'),
    "a fact of a later version": (
        "step-answered",
        (
            '{"kind":"step-answered","at":"2026-11-23T06:43:07Z","request":"r-9","answer":'
            '{"step":"s","fact":{"kind":"moon-phase"},"asked":[],"seconds":1}}'
        ),
    ),
    "a name that Kubernetes does not admit": (
        "remedies-proposed",
        wire.event_to_json(OPENED)[1].replace('"search"', '"Se arch"').replace("r-1", "r-9"),
    ),
    "the wrong kind": ("noted", wire.event_to_json(OPENED)[1].replace("r-1", "r-9")),
}
UNREADABLE["what was unreadable before"] = (
    "unreadable",
    '{"kind":"unreadable","at":"2026-11-23T06:43:07Z","request":"r-9","text":"x"}',
)
NONSENSE = {"no JSON": "{", "a number": "7", "nothing": "", "too deep": "[" * 100_000}


@pytest.mark.parametrize("case", UNREADABLE)
def test_an_event_that_cannot_be_read_is_kept(case: str) -> None:
    kind, text = UNREADABLE[case]
    event = wire.event_from_json(kind, text, NOW)
    assert event == ev.Unreadable(at=NOW, request="r-9", kind=kind, text=text)
    assert wire.event_to_json(event) == (kind, text)
    assert wire.entry_from_json(wire.entry_to_json(entry(event))) == entry(event)


@pytest.mark.parametrize("text", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_kept_too(text: str) -> None:
    event = wire.event_from_json("noted", text, NOW)
    assert event == ev.Unreadable(at=NOW, kind="noted", text=text)
    assert wire.entry_from_json(wire.entry_to_json(entry(event))) == entry(event)


def test_an_older_follower_keeps_what_a_newer_engine_sends() -> None:
    text = wire.entry_to_json(entry(ev.Noted(at=NOW, text="x"))).replace('"noted"', '"sung"')
    event = wire.entry_from_json(text).event
    assert isinstance(event, ev.Unreadable)
    assert (event.kind, event.at) == ("sung", NOW)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"seq":1}', '{"seq":"x","event":{}}'])
def test_what_is_no_entry_is_said_so(text: str) -> None:
    with pytest.raises(PetopsError, match="no entry"):
        wire.entry_from_json(text)


def test_a_board_comes_back_with_what_belongs_to_no_incident() -> None:
    turned = ev.AlarmTurnedAway(at=NOW, request="r-2", alarm=ALARM, because="cleared")
    future = ev.Unreadable(at=NOW, kind="sung", text='{"kind":"sung"}')
    board = Board().after(
        entry(OPENED),
        entry(turned, seq=2, incident=ev.NO_INCIDENT),
        entry(replace(turned, request=""), seq=3, number=2, incident=ev.NO_INCIDENT),
        entry(ev.Noted(at=NOW, text="x"), seq=4, number=2),
        entry(future, seq=5, number=3),
        entry(replace(turned, request=""), seq=6, number=3, incident=ev.NO_INCIDENT),
    )
    assert board.turned_away == 3
    assert wire.board_from_json(wire.board_to_json(board)) == board
    shown = json.loads(wire.incident_to_json(board.incidents["INC-0001"]))
    assert shown["phase"] == "open"
    assert [one["event"]["kind"] for one in shown["history"]] == [
        "incident-opened",
        "noted",
        "sung",
    ]


@pytest.mark.parametrize("text", ["", "[]", '{"seq":1,"turned_away":0,"loose":0,"entries":[{}]}'])
def test_what_is_no_board_is_said_so(text: str) -> None:
    with pytest.raises(PetopsError, match="this is no"):
        wire.board_from_json(text)


BAD_REQUESTS = {
    "nothing": (b"", "Invalid JSON"),
    "no JSON": (b"{", "Invalid JSON"),
    "no text": (b'{"kind":"\xff"}', "Invalid JSON"),
    "no object": (b"[1]", "kind"),
    "no kind": (b"{}", "kind"),
    "an unknown kind": (b'{"kind":"dance","id":"1"}', "dance"),
    "a missing field": (b'{"kind":"acknowledge","id":"1"}', "incident"),
    "an empty id": (b'{"kind":"acknowledge","id":"","incident":"INC-0001"}', "id is empty"),
    "a time without zone": (
        b'{"kind":"snooze","id":"1","incident":"i","until":"2026-11-23T06:43:07"}',
        "until",
    ),
    "a time that does not exist": (
        b'{"kind":"snooze","id":"1","incident":"i","until":"0001-01-01T00:00:00+10:00"}',
        "until",
    ),
    "a long digest": (
        wire.request_to_json(ApproveRemedy(id="1", incident="i", digest="x" * 301)),
        "digest is longer than 300",
    ),
    "a long reason": (
        wire.request_to_json(RejectRemedy(id="1", incident="i", digest="x", because="x" * 2_001)),
        "because is longer than 2000",
    ),
    "a long body": (b" " * (wire.MAX_REQUEST_BYTES + 1), "larger than"),
    "a bad name": (
        (
            b'{"kind":"report-alarm","id":"1","alarm":{"name":"a","source":"person","fingerprint":"f",'
            b'"event_id":"e","state":"alarm","cluster":{"name":"c"},"started_at":"2026-11-23T06:43:07Z",'
            b'"subject":{"cluster":{"name":"c"},"kind":"Pod","namespace":"a","name":"B b"}}}'
        ),
        "Kubernetes",
    ),
}


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_a_bad_request_is_told_in_one_sentence(case: str) -> None:
    body, words = BAD_REQUESTS[case]
    with pytest.raises(UsageError, match=words) as raised:
        wire.request_from_json(body)
    assert "\n" not in raised.value.message
    assert len(raised.value.message) < 400


def test_a_thousand_entries_are_fast() -> None:
    pods = tuple(
        Pod(
            name=f"search-{n}", uid="u", namespace="default", node="n", phase="Running", reason="",
            ready=True, created_at=NOW, owner=SUBJECT, revision="1",
            containers=(Container(name="app", image="i", ready=True, restarts=0),),
        )
        for n in range(3)
    )  # fmt: skip
    asked = (Asked(source="kubernetes", query="pods", window=Window(start=NOW, end=NOW)),)
    answer = Answer(
        step="s", fact=AffectedPods(subject=SUBJECT, pods=pods), asked=asked, seconds=0.1
    )
    sample = entry(ev.StepAnswered(at=NOW, answer=answer))
    assert wire.entry_from_json(wire.entry_to_json(sample)) == sample
    began = time.process_time()
    for _ in range(1000):
        wire.entry_from_json(wire.entry_to_json(sample))
    assert (
        time.process_time() - began < 1.0
    )  # 0.1 on an idle machine; the bound only catches a slip
