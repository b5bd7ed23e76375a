"""What is to be sent is the board less what was mirrored: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from petops.domain import events as ev
from petops.domain.alarm import Priority
from petops.domain.phases import Phase
from petops.errors import PetopsError
from petops.lab.slack_workspace import CHANNEL
from petops.slack.due import Rules as Shows
from petops.slack.routing import Route, quiet_hours
from tests.slack.played import (
    ANA,
    LOOK,
    MITIGATED,
    PROPOSED,
    STORY,
    MemorySlack,
    PlayedEngine,
    mirrored,
    opening,
    words,
)
from tests.virtual import VirtualClock

pytestmark = pytest.mark.looptime

INCIDENT = "INC-0001"


def stage() -> tuple[VirtualClock, PlayedEngine, MemorySlack]:
    clock = VirtualClock()
    return clock, PlayedEngine(clock.now), MemorySlack(clock)


async def test_one_message_is_changed_in_place_and_all_else_stands_in_its_thread() -> None:
    clock, engine, slack = stage()
    async with mirrored(engine, slack):
        for one in STORY[:MITIGATED]:
            await engine.play([one])
            await clock.sleep(3)
        await clock.sleep(30)
    (card,) = slack.cards()
    assert "mitigated" in words(card["blocks"])
    thread = slack.workspace.thread(CHANNEL, card["ts"])[1:]
    told = "\n".join(words(one.get("blocks", [])) for one in thread)
    for said in ("approved by", "recovered:", "Time to recovery", "mitigated, not fixed"):
        assert told.count(said) == 1, said
    pictures = [file for one in thread for file in one.get("files", [])]
    assert len(pictures) == 1
    assert slack.workspace.contents[pictures[0]["id"]].startswith(b"\x89PNG")
    assert slack.count("chat.update") >= 3
    assert slack.limits.limited == 0


async def test_the_first_message_stands_within_a_second() -> None:
    clock, engine, slack = stage()
    async with mirrored(engine, slack):
        await clock.sleep(5)
        began = clock.now()
        await engine.play(STORY[:2])
        while not slack.cards():
            await clock.sleep(0.01)
        assert (clock.now() - began).total_seconds() < 0.2


async def test_slack_away_for_an_hour_loses_nothing_and_repeats_nothing() -> None:
    clock, engine, slack = stage()
    async with mirrored(engine, slack):
        await engine.play(STORY[:3])
        await clock.sleep(10)
        slack.away = True
        for one in STORY[3:MITIGATED]:
            await engine.play([one])
            await clock.sleep(60)
        await engine.append("INC-0002", opening("search", clock.now()))
        await clock.sleep(1200)
        assert len(slack.cards()) == 1
        slack.away = False
        await clock.sleep(60)
    first, second = slack.cards()
    assert "mitigated" in words(first["blocks"])
    assert "search" in words(second["blocks"])
    thread = slack.workspace.thread(CHANNEL, first["ts"])[1:]
    notes = [one for one in thread if not one.get("files")]
    assert len(notes) == 1, "what was missed comes as one note"
    assert words(notes[0]["blocks"]).count("approved by") == 1
    assert slack.count("chat.update") == 1, "only the present state is shown"


@pytest.mark.parametrize("before_effect", [False, True], ids=["after", "before"])
@pytest.mark.parametrize("method", ["chat.postMessage", "files.completeUploadExternal"])
async def test_a_lost_answer_is_settled_by_looking(method: str, before_effect: bool) -> None:
    clock, engine, slack = stage()
    slack.before_effect = before_effect
    async with mirrored(engine, slack):
        for one in STORY[:MITIGATED]:
            slack.lose = [method]
            await engine.play([one])
            await clock.sleep(8)
        slack.lose = []
        await clock.sleep(60)
    assert len(slack.cards()) == 1
    thread = slack.workspace.thread(CHANNEL, slack.cards()[0]["ts"])[1:]
    told = "\n".join(words(one.get("blocks", [])) for one in thread)
    assert told.count("approved by") == 1
    assert sum(len(one.get("files", [])) for one in thread) == 1


async def test_an_engine_that_ends_after_any_post_repeats_nothing() -> None:
    """The journal does not hold what was posted last; the channel does."""
    clock, engine, slack = stage()
    for count in range(1, MITIGATED + 1):
        await engine.play(STORY[count - 1 : count])
        engine.crash = PetopsError("the disk is gone")
        async with mirrored(engine, slack):
            await clock.sleep(3)  # it posts, and cannot journal it
        engine.crash = None
        async with mirrored(engine, slack):
            await clock.sleep(20)
    assert len(slack.cards()) == 1
    thread = slack.workspace.thread(CHANNEL, slack.cards()[0]["ts"])[1:]
    told = "\n".join(words(one.get("blocks", [])) for one in thread)
    assert told.count("approved by") == 1
    assert told.count("Time to recovery") == 1
    assert sum(len(one.get("files", [])) for one in thread) == 1


async def test_a_restart_posts_nothing_again() -> None:
    clock, engine, slack = stage()
    async with mirrored(engine, slack):
        await engine.play(STORY[:MITIGATED])
        await clock.sleep(60)
    before = len(slack.calls)
    async with mirrored(engine, slack):
        await clock.sleep(60)
    assert [one for one, _ in slack.calls[before:]] == []


async def test_what_was_over_before_slack_was_set_up_is_not_shown() -> None:
    clock, engine, slack = stage()
    await engine.append("INC-0001", opening("old", clock.now()))
    await engine.append("INC-0001", ev.Closed(at=clock.now(), by=ANA, because="noise"))
    await clock.sleep(60)
    async with mirrored(engine, slack):
        await engine.append("INC-0002", opening("new", clock.now()))
        await clock.sleep(60)
    assert ["new" in words(one["blocks"]) for one in slack.cards()] == [True]


async def test_a_storm_of_a_hundred_is_one_message_and_no_429_is_ignored() -> None:
    clock, engine, slack = stage()
    slack.limits.close("chat.postMessage", CHANNEL, 7)
    async with mirrored(engine, slack):
        for number in range(1, 101):
            await engine.append(f"INC-{number:04d}", opening(f"s-{number}", clock.now()))
        await clock.sleep(120)
        assert len(slack.cards()) == 8, "seven by themselves, and the storm"
        (storm,) = [one for one in slack.cards() if "Storm" in words(one["blocks"])]
        assert "93 incidents" in words(storm["blocks"])
        for number in range(8, 101):
            closed = ev.Closed(at=clock.now(), by=ANA, because="over")
            await engine.append(f"INC-{number:04d}", closed)
        await clock.sleep(60)
        assert "93 are over" in words(slack.cards()[-1]["blocks"])
    assert slack.limits.limited >= 1
    assert slack.limits.ignored == 0
    assert len(slack.cards()) == 8


@pytest.mark.slow
async def test_a_hundred_messages_obey_a_message_a_second_and_keep_their_order() -> None:
    clock, engine, slack = stage()
    async with mirrored(engine, slack, shows=Shows(routes=(ROUTE_ALL,), storm_incidents=1000)):
        for number in range(1, 101):
            await engine.append(f"INC-{number:04d}", opening(f"s-{number:03}", clock.now()))
            await clock.sleep(0.001)
        await clock.sleep(130)
    assert len(slack.cards()) == 100
    shown = [int(words(one["blocks"]).partition("shop/s-")[2][:3]) for one in slack.cards()]
    assert shown == sorted(shown)
    assert slack.limits.limited == 0


async def test_a_storm_of_429_is_waited_out() -> None:
    clock, engine, slack = stage()
    async with mirrored(engine, slack):
        for one in STORY[:MITIGATED]:
            for method in ("chat.postMessage", "chat.update", "files.getUploadURLExternal"):
                slack.limits.close(method, CHANNEL, 5)
            await engine.play([one])
            await clock.sleep(2)
        await clock.sleep(120)
    assert slack.limits.ignored == 0
    assert "mitigated" in words(slack.cards()[0]["blocks"])


ROUTE_ALL = Route(channel=CHANNEL, mention="<@U0ANA>")


def pings(slack: MemorySlack) -> int:
    """How often somebody was called: a mention calls when it is posted, not when it is changed."""
    posted = [given for method, given in slack.calls if method == "chat.postMessage"]
    return sum("<@U0ANA>" in str(one["text"]) for one in posted)


async def test_nobody_is_called_twice_for_one_thing() -> None:
    clock, engine, slack = stage()
    shows = Shows(routes=(ROUTE_ALL,))
    for one in STORY[:MITIGATED]:
        await engine.play([one])
        async with mirrored(engine, slack, shows=shows):
            await clock.sleep(6)
    assert pings(slack) == 1
    again = opening("again", clock.now()).alarm
    async with mirrored(engine, slack, shows=shows):
        await engine.append(INCIDENT, ev.Reopened(at=clock.now(), alarm=again, because="back"))
        await clock.sleep(20)
    assert pings(slack) == 2, "an alarm that came back is a new thing"


async def test_quiet_hours_call_nobody_until_they_end_and_then_once() -> None:
    clock, engine, slack = stage()  # the clock begins at 03:00 UTC
    quiet = quiet_hours("22:00-07:00", "UTC", ())
    shows = Shows(routes=(replace(ROUTE_ALL, quiet=quiet),))
    async with mirrored(engine, slack, shows=shows):
        await engine.play(STORY[:PROPOSED])
        await clock.sleep(3600)
        assert pings(slack) == 0
        await clock.sleep(3.5 * 3600)
        assert pings(slack) == 1
        await clock.sleep(3600)
    assert pings(slack) == 1


async def test_p1_may_be_let_through_the_quiet_hours() -> None:
    clock, engine, slack = stage()
    quiet = quiet_hours("22:00-07:00", "UTC", ("P1",))
    shows = Shows(routes=(replace(ROUTE_ALL, quiet=quiet),))
    async with mirrored(engine, slack, shows=shows):
        await engine.append("INC-0001", opening("a", clock.now(), priority=Priority.P1))
        await engine.append("INC-0002", opening("b", clock.now(), priority=Priority.P2))
        await clock.sleep(20)
    assert pings(slack) == 1


async def test_incidents_go_to_the_first_route_that_takes_them() -> None:
    clock, engine, slack = stage()
    pets = Route(channel="C0STORE", namespaces=("pets",))
    team = Route(channel="C0STORE", teams=("payments",))
    urgent = Route(channel=CHANNEL, priorities=("P1",))
    async with mirrored(engine, slack, shows=Shows(routes=(pets, team, urgent))):
        now = clock.now()
        labels: dict[str, Any] = {"labels": (("team", "payments"),)}
        await engine.append("INC-0001", opening("a", now, namespace="pets"))
        await engine.append("INC-0002", opening("b", now))
        await engine.append("INC-0003", opening("c", now, priority=Priority.P3))
        await engine.append("INC-0004", opening("d", now, **labels))
        await clock.sleep(30)
    store = "".join(words(one["blocks"]) for one in slack.workspace.top("C0STORE"))
    assert "pets/a" in store
    assert "shop/d" in store
    assert len(slack.cards()) == 1
    assert "shop/b" in words(slack.cards()[0]["blocks"])


async def test_a_message_that_somebody_deleted_is_not_posted_again() -> None:
    clock, engine, slack = stage()
    async with mirrored(engine, slack):
        await engine.play(STORY[:3])
        await clock.sleep(10)
        slack.workspace.messages[CHANNEL].clear()
        await engine.append(INCIDENT, ev.Acknowledged(at=clock.now(), by=ANA))
        await clock.sleep(60)
    assert slack.cards() == []
    assert slack.count("chat.update") <= 2


async def test_a_channel_that_the_app_is_not_in_is_said_once_and_hurts_no_other() -> None:
    clock, engine, slack = stage()
    said: list[str] = []
    routes = (Route(channel="C0ELSEWHERE", priorities=("P1",)), Route(channel=CHANNEL))
    async with mirrored(engine, slack, shows=Shows(routes=routes), say=said.append):
        await engine.append("INC-0001", opening("a", clock.now(), priority=Priority.P1))
        await engine.append("INC-0002", opening("b", clock.now(), priority=Priority.P2))
        await clock.sleep(120)
        assert len(said) == 1
        assert "not_in_channel" in said[0]
        assert "/invite" in said[0]
        assert len(slack.cards()) == 1
        slack.workspace.channels["C0ELSEWHERE"]["is_member"] = True
        await clock.sleep(60)
    assert len(slack.workspace.top("C0ELSEWHERE")) == 1
    assert "goes on" in said[-1]


async def test_blocks_that_slack_does_not_take_are_posted_as_text() -> None:
    clock, engine, _ = stage()

    class Wrong(MemorySlack):
        async def call(self, method: str, /, **arguments: object) -> Any:
            if arguments.get("blocks"):
                arguments["blocks"] = [{"type": "nonsense"}]
            return await super().call(method, **arguments)

    wrong = Wrong(clock)
    said: list[str] = []
    async with mirrored(engine, wrong, say=said.append):
        await engine.append("INC-0001", opening("search", clock.now()))
        await clock.sleep(20)
    assert "search" in wrong.cards()[0]["text"]
    assert any("did not take the blocks" in one for one in said)


async def test_two_clusters_in_one_channel_do_not_take_each_others_messages_for_theirs() -> None:
    clock, engine, slack = stage()
    other = PlayedEngine(clock.now)
    for one in (engine, other):
        await one.append("INC-0001", opening("search", clock.now()))
    async with mirrored(engine, slack):
        await clock.sleep(10)
    mirror_of_other = mirrored(other, slack)
    async with mirror_of_other as mirror:
        mirror.cluster = "other"
        await clock.sleep(10)
    assert len(slack.cards()) == 2


async def test_the_phase_of_a_mirrored_incident_is_untouched() -> None:
    clock, engine, slack = stage()
    async with mirrored(engine, slack, look=LOOK):
        await engine.play(STORY[:PROPOSED])
        await clock.sleep(30)
    board = await engine.board()
    assert board.incidents[INCIDENT].phase is Phase.WAITING
    kinds = {
        one.event.part
        for one in board.incidents[INCIDENT].history
        if isinstance(one.event, ev.Mirrored)
    }
    assert kinds == {"card", "thread", "chart"}
    assert timedelta(0) < timedelta(seconds=asyncio.get_running_loop().time())
