"""A journal that an older petops left in the middle of an incident: today's engine goes on with it.

The recording was written by petops of 99f65eb, the first that ran on sqlite: its schema has no
chain, and its entries lack every field that came later.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from petops.domain import events as ev
from petops.domain.alarm import AlarmState
from petops.domain.change import RestartWorkload
from petops.domain.events import Entry, Unreadable
from petops.domain.incident import Incident
from petops.domain.phases import Phase
from petops.engine.engine import Engine
from petops.journal.sqlite import SqliteJournal
from tests.engine.stage import Stage, offered

pytestmark = pytest.mark.looptime
OLDEST = Path(__file__).parents[1] / "recordings" / "journals" / "version-1.sql"
PROPOSED, INTENDED, APPLIED = 11, 13, 14
UNKNOWN = (
    '{"kind":"mood-measured","at":"2026-11-23T03:01:00Z","request":"request-of-the-mood",'
    '"mood":{"of":"alice","is":["calm"]}}'
)


def old_journal(file: Path, entries: int, *, with_unknown: bool = False) -> Path:
    """The recording's first entries, as the version that wrote them left its file."""
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.executescript(OLDEST.read_text(encoding="utf-8"))
        opened.execute("delete from entries where number > ?", (entries,))
        if with_unknown:
            row = (entries + 1, "INC-0001", entries + 1, "mood-measured")
            at = "2026-11-23T03:01:01+00:00"
            opened.execute("insert into entries values (?, ?, ?, ?, ?, ?)", (*row, at, UNKNOWN))
    return file


def restarted(stage: Stage, act: str) -> None:
    """Let the cluster be as that version left it: the change was made."""
    stage.cluster.annotation, stage.cluster.started = act, stage.clock.now()


async def lived(stage: Stage, engine: Engine) -> Incident:
    """A person approves what is on offer, until the incident has ended."""
    ended = (Phase.MITIGATED, Phase.VERIFIED, Phase.FAILED)
    found = await stage.until(engine, Phase.WAITING, *ended)
    if found.phase is Phase.WAITING:
        entry = await stage.approve(engine, offered(found, "restart-workload"))
        assert isinstance(entry.event, ev.RemedyApproved), entry
        found = await stage.until(engine, *ended)
    return found


async def gone_on(
    file: Path, *, made: str = "", with_report: bool = False
) -> tuple[Stage, Incident, tuple[Entry, ...]]:
    """Open the journal with today's engine, and live the incident to its end."""
    async with SqliteJournal.open(file) as journal:
        stage = Stage(journal=journal)
        await stage.leak_for(61)
        if made:
            restarted(stage, made)
        async with stage.running() as engine:
            if with_report:
                await stage.report(engine)
            found = await lived(stage, engine)
            assert set((await engine.board()).incidents) == {"INC-0001"}
        assert not (await journal.verified()).faults
        return stage, found, await journal.read(0)


@pytest.mark.parametrize("entries", [*range(1, PROPOSED + 1)])
async def test_before_a_decision_it_is_asked_for_one(tmp_path: Path, entries: int) -> None:
    stage, found, _ = await gone_on(old_journal(tmp_path / "journal.db", entries))
    assert found.phase is Phase.MITIGATED
    assert found.diagnosis is not None
    assert found.diagnosis.cause is not None
    assert found.diagnosis.cause.mode == "memory-leak"
    assert [type(change) for _, change in stage.cluster.acts] == [RestartWorkload]


@pytest.mark.parametrize(
    ("entries", "made"),
    [(INTENDED - 1, ""), (INTENDED, ""), (INTENDED, "act-1")],
    ids=["approved", "intended", "made"],
)
async def test_what_was_approved_is_made_once(tmp_path: Path, entries: int, made: str) -> None:
    file = old_journal(tmp_path / "journal.db", entries)
    stage, found, journal = await gone_on(file, made=made)
    assert found.phase is Phase.MITIGATED
    assert len(stage.cluster.acts) == (0 if made else 1)
    kinds = [type(one.event) for one in journal]
    assert kinds.count(ev.ActIntended) == kinds.count(ev.RemedyApplied) == 1
    (approved,) = (one.event for one in journal if isinstance(one.event, ev.RemedyApproved))
    assert approved.by.user == "alice"


async def test_what_was_made_is_watched_to_its_end(tmp_path: Path) -> None:
    file = old_journal(tmp_path / "journal.db", APPLIED)
    stage, found, _ = await gone_on(file, made="act-1")
    assert found.phase is Phase.MITIGATED
    assert not stage.cluster.acts


async def test_an_event_that_is_not_known_is_kept_and_nothing_is_changed_on_top_of_it(
    tmp_path: Path,
) -> None:
    """What the other version knew and this one does not may be a reason not to act."""
    file = old_journal(tmp_path / "journal.db", PROPOSED, with_unknown=True)
    async with SqliteJournal.open(file) as journal:
        stage = Stage(journal=journal)
        await stage.leak_for(61)
        async with stage.running() as engine:
            found = await stage.until(engine, Phase.WAITING)
            entry = await stage.approve(engine, offered(found, "restart-workload"))
            assert isinstance(entry.event, ev.ApprovalRefused)
            assert "a newer petops" in entry.event.why
            await stage.clock.sleep(60)
        assert not stage.cluster.acts
        assert not (await journal.verified()).faults
        events = [one.event for one in await journal.read(0)]
    (unknown,) = (one for one in events if isinstance(one, Unreadable))
    assert (unknown.kind, unknown.text) == ("mood-measured", UNKNOWN)


async def test_what_was_made_is_watched_although_an_event_is_not_known(tmp_path: Path) -> None:
    file = old_journal(tmp_path / "journal.db", APPLIED, with_unknown=True)
    stage, found, _ = await gone_on(file, made="act-1")
    assert found.phase is Phase.MITIGATED
    assert not stage.cluster.acts


async def test_the_alarm_goes_on_where_it_was(tmp_path: Path) -> None:
    """The same alarm, told again after the upgrade, is the same incident's."""
    file = old_journal(tmp_path / "journal.db", PROPOSED)
    _, found, journal = await gone_on(file, with_report=True)
    assert found.alarm.state is AlarmState.ALARM
    assert sum(isinstance(one.event, ev.IncidentOpened) for one in journal) == 1
