"""Whatever an incident holds, what is posted is within Slack's limits, and none of it is obeyed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Drawing
from hypothesis import strategies as st

from petops.domain import events as ev
from petops.domain.alarm import Category, Priority
from petops.domain.change import Advice, Proposal
from petops.domain.diagnosis import Diagnosis, Weighs
from petops.domain.incident import Board, Incident
from petops.domain.phases import Phase
from petops.errors import UsageError
from petops.lab.slack_blocks import WHOLE_MESSAGE, length, problems, view_problems
from petops.slack import home, modals, routing, text
from petops.slack.blocks import card
from petops.slack.charts import Bar, Chart, Curve, charted
from petops.slack.look import EMOJI, PHASES, PRIORITIES, GrafanaLink, grafana_links, links
from petops.slack.pictures import png
from petops.slack.storm import Storm, storm_message, storms
from petops.slack.text import Writer, masks
from petops.slack.thread import note
from tests.slack.played import LOOK, MITIGATED, PROPOSED, STORY, opening

NOW = datetime(2026, 11, 23, 6, 43, tzinfo=UTC)
NASTY = (
    "<!channel> @here <!here|x> <@U0ANA> <http://evil|click> & *bold* _it_ ~no~ `code` ```fence```",
    "x" * 5000,
    "&" * 4000,
    "🐛" * 3000,
    "\u202edrawkcab\u200b\x00\x1b[31m\n\n\n" * 300,
    "\ud800 a lone half",
)


def at(count: int) -> Incident:
    return Board().after(*STORY[:count]).incidents["INC-0001"]


texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=80), st.text("<>&@`*_|!^", max_size=400))


@st.composite
def incidents(draw: st.DrawFn) -> Incident:
    """An incident whose every free text is whatever a cluster may say."""
    found = at(draw(st.sampled_from([4, PROPOSED, MITIGATED, len(STORY)])))
    cause = found.diagnosis.cause if found.diagnosis else None
    if cause is not None and found.diagnosis is not None:
        row = replace(
            cause.rows[0],
            statement=draw(texts),
            seen=draw(texts),
            weighs=draw(st.sampled_from(list(Weighs))),
        )
        rows = tuple([row] * draw(st.integers(0, 40)))
        cause = replace(cause, mode=draw(texts), because=draw(texts), rows=rows)
        rivals = tuple([replace(cause, mode=draw(texts))] * draw(st.integers(0, 30)))
        found = replace(found, diagnosis=replace(found.diagnosis, cause=cause, rivals=rivals))
    offers: list[Proposal] = []
    for one in found.proposals:
        guards = []
        for each in one.guards:
            name, why, ok = draw(texts), draw(texts), draw(st.booleans())
            guards.append(replace(each, name=name, why=why, ok=ok))
        diff = (draw(texts),) * draw(st.integers(0, 300))
        dry_run = replace(one.dry_run, diff=diff)
        offers.append(replace(one, dry_run=dry_run, guards=tuple(guards)))
    has_advice = draw(st.booleans())
    if offers and has_advice:
        advice = Advice(subject=offers[0].change.subject, text=draw(texts), handover=draw(texts))
        offers.append(replace(offers[0], change=advice))
    return replace(
        found,
        phase=draw(st.sampled_from(list(Phase))),
        proposals=tuple(offers * draw(st.integers(1, 4))),
        alarm=replace(found.alarm, name=draw(texts), text=draw(texts)),
        ended_because=draw(texts),
        snoozed_until=NOW + timedelta(days=4000) if draw(st.booleans()) else None,
        history=tuple(
            replace(one, event=ev.Noted(at=one.event.at, text=draw(texts)))
            if draw(st.booleans())
            else one
            for one in found.history
        ),
    )


checked = settings(
    max_examples=20,
    deadline=None,
    phases=[Drawing.generate],
    suppress_health_check=list(HealthCheck),
)
OBEYED = re.compile(r"<([^>|]*)[^>]*>")
OURS = re.compile(r"!date\^|https://grafana\.example/|<")


def assert_posted(blocks: Any, *, view: bool = False) -> None:
    assert problems(list(blocks), view=view) == ()
    for one in _strings(list(blocks)):
        for found in OBEYED.finditer(one):
            assert OURS.match(found[1]), found[0]
        assert not re.search(r"@(here|channel|everyone)\b", one)
        assert one.encode("utf-8")


def _strings(one: object) -> list[str]:
    if isinstance(one, dict):
        if one.get("type") == "mrkdwn":
            return [str(one["text"])]
        return [each for value in one.values() for each in _strings(value)]
    if isinstance(one, list | tuple):
        return [each for value in one for each in _strings(value)]
    return []


@pytest.mark.slow
@checked
@given(data=st.data())
def test_a_card_is_within_the_limits(data: st.DataObject) -> None:
    found = data.draw(incidents())
    message = card(found, LOOK, NOW)
    assert_posted(message.blocks)
    assert len(message.text) <= 300
    shown = [[one.get(name) for name in ("text", "elements", "fields")] for one in message.blocks]
    assert length(shown) <= WHOLE_MESSAGE


@checked
@given(data=st.data())
def test_a_note_is_within_the_limits(data: st.DataObject) -> None:
    found = data.draw(incidents())
    message = note(found, 0, found.number, LOOK)
    assert_posted(message.blocks)
    assert length([one.get("text") for one in message.blocks]) <= WHOLE_MESSAGE


@pytest.mark.slow
@checked
@given(data=st.data())
def test_the_details_are_within_the_limits(data: st.DataObject) -> None:
    found = data.draw(incidents())
    view = modals.details(found, modals.Opened(found.id), LOOK)
    assert view_problems(view) == ()
    assert_posted(view["blocks"], view=True)


@pytest.mark.slow
@checked
@given(data=st.data())
def test_a_storm_and_the_board_are_within_the_limits(data: st.DataObject) -> None:
    found = [data.draw(incidents()) for _ in range(2)]
    many = tuple(replace(found[n % len(found)], id=f"INC-{n:04d}") for n in range(0, 120))
    message = storm_message(Storm(many), LOOK)
    assert_posted(message.blocks)
    shown = [[one.get(name) for name in ("text", "elements")] for one in message.blocks]
    assert length(shown) <= WHOLE_MESSAGE + 100 * 90, "a menu's options do not count as text"
    board = Board(seq=1, incidents={one.id: one for one in many})
    view = home.home(board, LOOK)
    assert view_problems(view) == ()
    assert problems(list(home.listed(board, LOOK))) == ()


def test_forms_are_within_the_limits() -> None:
    modes = [f"mode-{n}" + "x" * 90 for n in range(200)]
    for view in (
        modals.reject(modals.Opened("INC-1")),
        modals.correct(modals.Opened("INC-1"), modes),
    ):
        assert view_problems(view) == ()


def test_the_labs_slack_says_what_is_wrong_as_slack_does() -> None:
    wrong = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
    (found,) = problems(wrong)
    assert found == ("must be less than 3001 characters", "/blocks/0/text/text")
    assert problems([{"type": "divider"}] * 51)
    assert problems([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}])
    assert problems([{"type": "actions", "elements": []}])
    assert problems([{"type": "input"}])
    assert problems("nonsense")


@pytest.mark.parametrize(
    ("said", "hidden"),
    [
        ("key AKIAABCDEFGHIJKLMNOP here", "AKIAABCDEFGHIJKLMNOP"),
        ("xoxb-1234567890-abcdef", "xoxb-1234567890-abcdef"),
        ("Authorization: Bearer abcdefghijklmnop.qrst", "abcdefghijklmnop"),
        ("DB_PASSWORD=hunter22 ok", "hunter22"),
        ('{"api_key": "s3cr3tvalue"}', "s3cr3tvalue"),
        ("postgres://pets:hunter22@db:5432/pets", "hunter22"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ.abcdefg", "eyJzdWIiOiIxMjMifQ"),
        ("for customer-4711 only", "4711"),
    ],
)
def test_what_must_not_leave_the_cluster_stays(said: str, hidden: str) -> None:
    writer = Writer(masks([{"pattern": "customer-[0-9]+", "replacement": "a customer"}]))
    for made in (
        writer.said(said),
        writer.code(said),
        writer.fence([said], 500),
        writer.plain(said, 90),
    ):
        assert hidden not in made
    look = replace(LOOK, writer=writer)
    found = replace(at(PROPOSED), ended_because=said)
    cause = found.diagnosis.cause if found.diagnosis else None
    assert cause is not None
    assert found.diagnosis is not None
    row = replace(cause.rows[0], seen=said, weighs=Weighs.FOR)
    found = replace(found, diagnosis=replace(found.diagnosis, cause=replace(cause, rows=(row,))))
    shown = (
        card(found, look, NOW).blocks,
        modals.details(found, modals.Opened("x"), look)["blocks"],
    )
    assert hidden not in str(shown)


@pytest.mark.parametrize(
    "rule", [{"pattern": "("}, {"replacement": "x"}, {"pattern": "a", "replacement": r"\2"}]
)
def test_a_mask_that_makes_no_sense_is_said(rule: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="makes no sense"):
        masks([rule])


def test_links_open_the_dashboard_of_the_category_with_what_it_is_about() -> None:
    link = GrafanaLink(
        category="memory", path="/d/pods?ns={namespace}&w={workload}&from={from}&to={to}"
    )
    look = replace(
        LOOK,
        grafana_url="https://grafana.example/",
        grafana_links=(link,),
        incident_url="https://petops.example",
    )
    found = at(PROPOSED)
    assert found.assessment.category is Category.MEMORY
    told = links(found, look, NOW)
    subject = found.diagnosis.cause.subject if found.diagnosis and found.diagnosis.cause else None
    assert subject is not None
    assert f"ns={subject.namespace}&amp;w={subject.name}&amp;from=" in told
    assert "<https://petops.example/incidents/INC-0001|Incident>" in told
    assert_posted([text.section(told.replace("petops.example", "grafana.example"))])
    other = replace(found, assessment=replace(found.assessment, category=Category.CPU))
    assert "grafana" not in links(other, look, NOW)


@pytest.mark.parametrize(
    "rule", [{"path": 3}, {"category": "memory"}, {"category": "nonsense", "path": "/d"}]
)
def test_a_grafana_link_that_makes_no_sense_is_said(rule: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="makes no sense"):
        grafana_links([rule])


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"channel": "incidents"},
        {"channel": "C0123", "priorities": ["P9"]},
        {"channel": "C0123", "mention": "everybody"},
        {"channel": "C0123", "namespaces": "shop"},
        {"channel": "C0123", "nonsense": 1},
        {"channel": "C0123", "quiet_hours": "at night"},
        {"channel": "C0123", "quiet_hours": "22:00-07:00", "quiet_zone": "Nowhere/City"},
    ],
    ids=str,
)
def test_a_route_that_makes_no_sense_is_said(rule: dict[str, object]) -> None:
    with pytest.raises(UsageError) as told:
        routing.routes([rule], None)
    assert told.value.hint


def test_a_storm_follows_from_when_incidents_were_opened_alone() -> None:
    def one(number: int, seconds: float) -> Incident:
        event = opening(f"s-{number}", NOW + timedelta(seconds=seconds))
        entry = ev.Entry(seq=number, incident=f"INC-{number:04d}", number=1, event=event)
        return Board().after(entry).incidents[entry.incident]

    calm = [one(n, n * 120) for n in range(1, 30)]
    assert storms(calm, 5, timedelta(minutes=2)) == ()
    burst = [one(n, n) for n in range(1, 30)]
    (found,) = storms(reversed(burst), 5, timedelta(minutes=2))
    assert [each.id for each in found.members] == [f"INC-{n:04d}" for n in range(5, 30)]
    later = [*burst, *(one(n, 3600 + n) for n in range(30, 60))]
    assert storms(later, 5, timedelta(minutes=2))[0] == found, "what comes later changes nothing"


def test_a_chart_is_a_picture_of_what_was_measured() -> None:
    found = charted(at(PROPOSED))
    assert found is not None
    assert found.limit
    picture = png(found)
    assert picture.startswith(b"\x89PNG")
    assert 5_000 < len(picture) < 400_000


@pytest.mark.slow
@settings(checked, max_examples=6)
@given(
    values=st.lists(st.floats(0, 1e12), min_size=1, max_size=8),
    name=texts,
)
def test_any_chart_can_be_drawn(values: list[float], name: str) -> None:
    points = tuple((NOW + timedelta(seconds=n), value) for n, value in enumerate(values))
    curve = Chart(
        title=name, unit="MiB", curves=(Curve(name=name, points=points),), limit=values[0]
    )
    assert png(curve)
    assert png(Chart(title=name, unit="%", bars=tuple(Bar(name=name, value=one) for one in values)))


def test_every_phase_has_its_sign_and_words() -> None:
    assert set(PHASES) == set(Phase)
    assert set(PRIORITIES) == set(Priority)


def test_every_sign_is_one_that_the_labs_page_can_show() -> None:
    from importlib import resources  # noqa: PLC0415

    page = resources.files("petops.lab").joinpath("slack_page", "page.js").read_text("utf-8")
    missing = [one for one in EMOJI if f'"{one}"' not in page]
    assert missing == []


def test_no_cause_reads_as_that() -> None:
    found = replace(
        at(PROPOSED), diagnosis=Diagnosis(cause=None, because="nothing fits"), proposals=()
    )
    assert "No cause found" in str(card(found, LOOK, NOW).blocks)
