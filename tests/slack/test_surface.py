"""Buttons, forms and commands: who may, what comes of it, and what is told to them alone."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from petops.domain import events as ev
from petops.domain.phases import Phase
from petops.domain.policy import ApprovalRule, Identity, Rules
from petops.domain.requests import ApproveRemedy
from petops.lab.slack_workspace import BOT_USER, CHANNEL
from petops.slack import blocks, home, modals
from petops.slack.incoming import read
from tests.slack.played import ANA, MITIGATED, PROPOSED, STORY, opening, words
from tests.slack.pressed import Team, team
from tests.virtual import VirtualClock

pytestmark = pytest.mark.looptime

INCIDENT = "INC-0001"


async def phase(stage: Team) -> Phase:
    return (await stage.engine.board()).incidents[INCIDENT].phase


async def digest(stage: Team) -> str:
    return (await stage.engine.board()).incidents[INCIDENT].on_offer[0].digest


async def test_approve_names_who_and_where() -> None:
    async with team(PROPOSED) as stage:
        assert await stage.press("U0ANA", blocks.APPROVE) == ""
        found = (await stage.engine.board()).incidents[INCIDENT]
        assert found.approved is not None
        assert found.approved.by == Identity(user="ana", channel="slack")
        await stage.clock.sleep(5)
        assert "approved by *ana (slack)*" in words(stage.card["blocks"])
        actions = {one.get("action_id") for one in stage.card["blocks"][-1].get("elements", [])}
        assert blocks.APPROVE not in actions, "what is decided has no button any more"


async def test_the_question_names_cluster_namespace_and_target() -> None:
    async with team(PROPOSED) as stage:
        offer = (await stage.engine.board()).incidents[INCIDENT].on_offer[0]
        subject = offer.change.subject
        asked = str(blocks.confirmation(offer))
        for said in (str(subject.cluster), subject.namespace, subject.name, offer.digest[7:15]):
            assert said in asked


async def test_the_same_press_again_has_one_effect() -> None:
    async with team(PROPOSED) as stage:
        await stage.press("U0ANA", blocks.ACKNOWLEDGE)
        (kind, payload) = stage.direct.sent[0]
        stage.surface._seen.clear()  # as after a restart: the engine alone remembers
        again = read(kind, payload)
        assert again is not None
        await stage.surface.done(again)
        await stage.direct.deliver(kind, payload)
        history = (await stage.engine.board()).incidents[INCIDENT].history
        assert sum(isinstance(one.event, ev.Acknowledged) for one in history) == 1


async def test_reject_asks_why_and_says_so() -> None:
    async with team(PROPOSED) as stage:
        await stage.press("U0ANA", blocks.REJECT)
        assert "required" in await stage.acting.send("U0ANA", {"because": " "})
        assert await stage.acting.send("U0ANA", {"because": "not in the rush hour"}) == ""
        history = (await stage.engine.board()).incidents[INCIDENT].history
        rejected = [one.event for one in history if isinstance(one.event, ev.RemedyRejected)]
        assert [one.because for one in rejected] == ["not in the rush hour"]


async def test_wrong_cause_is_recorded_beside_the_verdict() -> None:
    async with team(PROPOSED) as stage:
        await stage.press("U0ANA", blocks.WRONG_CAUSE)
        filled = {"mode": modals.OTHER, "because": "a cache without bounds"}
        assert await stage.acting.send("U0ANA", filled) == ""
        found = (await stage.engine.board()).incidents[INCIDENT]
        assert found.corrected is not None
        assert found.corrected.mode == "a cache without bounds"
        await stage.clock.sleep(5)
        assert "a cache without bounds" in words(stage.card["blocks"])


async def test_snooze_and_acknowledge_stand_on_the_card() -> None:
    async with team(PROPOSED) as stage:
        await stage.press("U0ANA", blocks.SNOOZE, f"{INCIDENT} 4h")
        await stage.press("U0ANA", blocks.ACKNOWLEDGE)
        found = (await stage.engine.board()).incidents[INCIDENT]
        assert found.snoozed_until is not None
        left = found.snoozed_until - stage.clock.now()
        assert timedelta(hours=3, minutes=59) < left <= timedelta(hours=4)
        await stage.clock.sleep(5)
        assert "acknowledged by ana (slack)" in words(stage.card["blocks"])


async def test_details_open_in_time_and_can_approve_any_offer() -> None:
    async with team(PROPOSED) as stage:
        await stage.press("U0CLEO", blocks.DETAILS)
        view = stage.slack.workspace.modals["U0CLEO"]
        assert "Not measured" in words(view["blocks"]) or len(view["blocks"]) > 8
        await stage.press("U0ANA", blocks.DETAILS)
        second = (await stage.engine.board()).incidents[INCIDENT].on_offer[0]
        trouble = await stage.press(
            "U0ANA", blocks.APPROVE, blocks.value_of(INCIDENT, second.digest), view="modal"
        )
        assert trouble == ""
        assert await phase(stage) is Phase.REPAIRING


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("U0CLEO", "nobody is mapped to U0CLEO"),
        ("U0EVE", "another Slack workspace"),
        (BOT_USER, "Slack does not say who you are"),
    ],
)
async def test_who_may_not_is_told_so_alone(user: str, said: str) -> None:
    async with team(PROPOSED) as stage:
        await stage.press("U0ANA", blocks.DETAILS)
        kind, payload = stage.direct.sent[0]
        action = {
            "action_id": blocks.APPROVE,
            "value": blocks.value_of(INCIDENT, await digest(stage)),
        }
        payload = payload | {"actions": [payload["actions"][0] | action]}
        payload["user"] = {"id": user, "team_id": "T0OTHER" if user == "U0EVE" else "T0LAB"}
        await stage.direct.deliver(kind, payload)
        assert said in stage.told()
        assert await phase(stage) is Phase.WAITING


async def test_who_was_deactivated_meanwhile_is_told_so() -> None:
    async with team(PROPOSED) as stage:
        members = dict(stage.slack.workspace.members)
        members["U0ANA"] = replace(members["U0ANA"], deleted=False)
        stage.slack.workspace.members = members
        await stage.press("U0ANA", blocks.DETAILS)
        kind, payload = stage.direct.sent[0]
        members["U0ANA"] = replace(members["U0ANA"], deleted=True)
        await stage.clock.sleep(360)  # what Slack says of somebody holds for five minutes
        acted = {
            "action_id": blocks.APPROVE,
            "value": blocks.value_of(INCIDENT, await digest(stage)),
        }
        await stage.direct.deliver(
            kind, payload | {"actions": [payload["actions"][0] | acted | {"action_ts": "9"}]}
        )
        assert "deactivated" in stage.told()
        assert await phase(stage) is Phase.WAITING


async def test_a_button_in_another_channel_or_message_does_nothing() -> None:
    async with team(PROPOSED) as stage:
        card = dict(stage.card)
        stage.slack.workspace.messages["C0STORE"] = {card["ts"]: card}
        await stage.press("U0ANA", blocks.APPROVE, channel="C0STORE")
        assert "not the one that petops posted" in stage.told()
        copied = stage.slack.workspace.post(CHANNEL, {"blocks": card["blocks"], "text": "x"})
        await stage.press("U0ANA", blocks.APPROVE, ts=copied["ts"])
        assert await phase(stage) is Phase.WAITING


async def test_the_same_policy_as_in_the_terminal() -> None:
    async with team(PROPOSED) as stage:
        rule = ApprovalRule(users=("ana",), namespaces=("elsewhere",))
        stage.engine.rules = Rules(approvals=(rule,))
        await stage.press("U0ANA", blocks.APPROVE)
        assert "Not done: ana may not approve" in stage.told()
        assert await phase(stage) is Phase.WAITING


async def test_what_was_decided_says_by_whom_and_where() -> None:
    async with team(PROPOSED) as stage:
        old = dict(stage.card)
        request = ApproveRemedy(id="t-1", incident=INCIDENT, digest=await digest(stage))
        await stage.engine.submit(request, ANA)
        stage.slack.workspace.messages[CHANNEL][old["ts"]] = old  # somebody still sees the button
        await stage.press("U0ANA", blocks.APPROVE)
        assert "Not done: ana decided already, by terminal" in stage.told()


async def test_what_expired_says_so() -> None:
    async with team(PROPOSED) as stage:
        await stage.clock.sleep(3600)
        await stage.press("U0ANA", blocks.APPROVE)
        assert "Not done: it expired" in stage.told()


async def test_slack_being_slow_to_say_who_somebody_is_decides_nothing() -> None:
    async with team(PROPOSED) as stage:
        stage.slack.limits.close("users.info", "", 30)
        await stage.press("U0ANA", blocks.APPROVE)
        assert "Press again" in stage.told()
        assert await phase(stage) is Phase.WAITING


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/petops incidents", "open incidents"),
        ("/petops show inc-0001", "INC-0001"),
        ("/petops show INC-9999", "There is no incident INC-9999"),
        ("/petops ask how much memory?", "how much memory?"),
        ("/petops chaos status", "Faults at work"),
        ("/petops dance", "/petops incidents"),
    ],
)
async def test_commands_answer_to_who_asks_alone(text: str, said: str) -> None:
    async with team(PROPOSED) as stage:
        assert await stage.acting.type("U0ANA", CHANNEL, text) == ""
        told = stage.slack.told[-1]
        assert told["response_type"] == "ephemeral"
        assert said in stage.told()
        assert not [one for one in stage.slack.cards() if "ask" in str(one["text"])]


async def test_questions_are_for_people_who_are_mapped() -> None:
    async with team(PROPOSED) as stage:
        await stage.acting.type("U0CLEO", CHANNEL, "/petops ask how much memory?")
        assert "nobody is mapped" in stage.told()


async def test_app_home_has_the_board() -> None:
    async with team(PROPOSED) as stage:
        await stage.acting.look_home("U0BEN")
        view = stage.slack.workspace.homes["U0BEN"]
        assert "1 open incident" in words(view["blocks"])
        await stage.press("U0BEN", blocks.DETAILS, view="home")
        assert stage.slack.workspace.modals["U0BEN"]["title"]["text"] == INCIDENT


async def test_an_incident_of_a_storm_is_opened_from_its_message() -> None:
    async with team(0) as stage:
        for number in range(1, 21):
            name = f"INC-{number:04d}"
            await stage.engine.append(name, opening(f"s-{number}", stage.clock.now()))
        await stage.clock.sleep(40)
        (storm,) = [one for one in stage.slack.cards() if "Storm" in words(one["blocks"])]
        chosen = blocks.value_of("INC-0015")
        await stage.press("U0ANA", "petops.open", chosen, ts=storm["ts"])
        assert stage.slack.workspace.modals["U0ANA"]["title"]["text"] == "INC-0015"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"type": "block_actions"},
        {"type": "block_actions", "user": {"id": "U0ANA"}, "actions": []},
        {"type": "block_actions", "user": None, "actions": [{}]},
        {"type": "view_submission", "user": {"id": "U0ANA"}, "view": {}},
        {"type": "view_submission", "user": {"id": "U0ANA"}, "view": {"id": 1, "state": 3}},
    ],
    ids=str,
)
def test_a_payload_that_makes_no_sense_is_nothing(payload: dict[str, object]) -> None:
    for kind in ("interactive", "slash_commands", "events_api", "hello", ""):
        assert read(kind, payload) is None


@pytest.mark.slow
async def test_slack_and_terminal_race_and_one_decision_wins() -> None:
    """A thousand races: each is decided once, and the other one is told who decided."""
    dice, won = random.Random(7), {"slack": 0, "terminal": 0}  # noqa: S311
    clock = VirtualClock()
    stage = Team(clock)
    for number in range(1, 1001):
        name = f"INC-{number:04d}"
        await stage.engine.play(STORY[1:PROPOSED], name)
        await stage.engine.append(
            name,
            ev.Mirrored(
                at=clock.now(), surface="slack", part="card", channel=CHANNEL, message=name, shown=1
            ),
        )
        found = (await stage.engine.board()).incidents[name]
        offer = found.on_offer[0]
        button = blocks.approve_button(found, offer)
        stage.slack.workspace.messages.setdefault(CHANNEL, {})[name] = {
            "ts": name,
            "blocks": [{"type": "actions", "elements": [button]}],
        }

        async def by_terminal(name: str = name, digest: str = offer.digest) -> ev.Entry:
            await clock.sleep(dice.uniform(0, 0.1))
            request = ApproveRemedy(id=f"t-{name}", incident=name, digest=digest)
            return await stage.engine.submit(request, ANA)

        async def by_slack(name: str = name) -> None:
            await clock.sleep(dice.uniform(0, 0.1))
            place = {"channel": CHANNEL, "ts": name}
            await stage.acting.press("U0ANA", place, blocks.APPROVE)

        entry, _ = await asyncio.gather(by_terminal(), by_slack())
        decided = (await stage.engine.board()).incidents[name]
        approvals = [
            one.event for one in decided.history if isinstance(one.event, ev.RemedyApproved)
        ]
        assert len(approvals) == 1
        winner = approvals[0].by.channel
        won[winner] += 1
        if winner == "slack":
            assert isinstance(entry.event, ev.ApprovalRefused)
            assert "decided already, by slack" in entry.event.why
        else:
            assert "decided already, by terminal" in stage.told()
    assert min(won.values()) > 100, won


async def test_the_home_view_of_many_incidents_is_bounded() -> None:
    async with team(0) as stage:
        for number in range(1, 120):
            name = f"INC-{number:04d}"
            await stage.engine.append(name, opening(f"s-{number}", stage.clock.now()))
        view = home.home(await stage.engine.board(), stage.surface.look)
        assert len(view["blocks"]) <= 100
        assert MITIGATED
