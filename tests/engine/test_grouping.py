"""Which alarms share an incident, and which must not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from petops.domain import events as ev
from petops.domain.alarm import Alarm, AlarmSource, AlarmState, Assessment, Category, Priority
from petops.domain.events import Entry
from petops.domain.incident import Board, Incident
from petops.domain.phases import Phase
from petops.domain.policy import Identity
from petops.domain.requests import SplitOff
from petops.domain.subject import Kind, Subject
from petops.domain.topology import Topology
from petops.engine.grouping import Grouping, merger
from petops.engine.intake import Desk, admit
from petops.engine.record import Decision
from petops.engine.splitting import split, taken_out
from tests.recorded import CLUSTER, deployment
from tests.recorded import alarm as alarm_of
from tests.virtual import BEGAN

ANA = Identity(user="ana", channel="socket")
NODE = Subject(cluster=CLUSTER, kind=Kind.NODE, name="node-a")
WEB, CART, BASE, OTHER = (deployment("shop", name) for name in ("web", "cart", "base", "other"))
CALLS = {WEB: frozenset({CART, OTHER}), CART: frozenset({BASE})}


def assess(alarm: Alarm) -> Assessment:
    found = dict(alarm.labels).get("category", "latency")
    return Assessment(category=Category(found), priority=Priority.P2, because="test")


class Counter:
    """A board to which alarms are reported, one after the other."""

    def __init__(self, topology: Topology | None = None, **grouping: object) -> None:
        self.board = Board()
        self.topology = topology or Topology(calls=CALLS)
        self.grouping = Grouping(**grouping)  # type: ignore[arg-type]
        self.minutes = 0.0

    def report(
        self,
        subject: Subject,
        state: AlarmState = AlarmState.ALARM,
        *,
        category: str = "latency",
        after: float = 1.0,
        **changes: object,
    ) -> ev.Event:
        self.minutes += after
        at = BEGAN + timedelta(minutes=self.minutes)
        alarm = alarm_of(
            subject,
            at,
            name=f"{subject.name}-{category}",
            fingerprint=f"{subject.name}-{category}",
            event_id=f"{subject.name}-{self.minutes}-{state}",
            state=state,
            labels=(("category", category),),
        )
        alarm = replace(alarm, **changes)  # type: ignore[arg-type]
        desk = Desk(
            connected=CLUSTER, assess=assess, topology=self.topology, grouping=self.grouping
        )
        decision = admit(alarm, self.board, desk, now=at)
        self.append(decision)
        return decision.events[0]

    def composite(self, name: str, *made_of: str) -> ev.Event:
        """Report an alarm that is made of others, and names no object."""
        self.minutes += 1
        at = BEGAN + timedelta(minutes=self.minutes)
        alarm = alarm_of(None, at, name=name, fingerprint=name, event_id=name, made_of=made_of)
        desk = Desk(connected=CLUSTER, assess=assess, topology=self.topology)
        decision = admit(alarm, self.board, desk, now=at)
        self.append(decision)
        return decision.events[0]

    def append(self, decision: Decision) -> None:
        known = self.board.incidents.get(decision.incident)
        number = known.number if known else 0
        for offset, event in enumerate(decision.events, start=1):
            entry = Entry(
                seq=self.board.seq + 1,
                incident=decision.incident,
                number=number + offset,
                event=event,
            )
            self.board = self.board.checked(entry)

    def merged(self, incident: str) -> str:
        found = merger(
            self.board.incidents[incident], self.board.latest_first, self.topology, self.grouping
        )
        return found[0].id if found else ""

    def put(self, incident: str, **changes: object) -> None:
        one = replace(self.board.incidents[incident], **changes)  # type: ignore[arg-type]
        self.board = replace(self.board, incidents={**self.board.incidents, incident: one})


def ill(*where: str, calls: Mapping[Subject, frozenset[Subject]] = CALLS) -> Topology:
    """A topology in which pods of CART on these nodes are not ready, and node-a is sick."""
    return Topology(
        pods={CART: 2},
        unready={CART: dict.fromkeys(where, 1)},
        sick_nodes={"node-a": "it is not ready"},
        calls=calls,
    )


def test_a_caller_joins_the_incident_of_what_it_calls() -> None:
    counter = Counter()
    counter.report(BASE, category="errors")
    for subject in (CART, WEB):
        joined = counter.report(subject)
        assert isinstance(joined, ev.AlarmJoined)
        assert "calls Deployment shop/base, which fails" in joined.because
    assert len(counter.board.incidents) == 1


@pytest.mark.parametrize("category", ["memory", "restarts", "cpu", "availability", "other"])
def test_a_symptom_that_does_not_travel_is_a_matter_of_its_own(category: str) -> None:
    counter = Counter()
    counter.report(BASE, category="errors")
    assert isinstance(counter.report(WEB, category=category), ev.IncidentOpened)


def test_two_failing_things_below_tie_to_neither() -> None:
    counter = Counter()
    counter.report(BASE, category="errors")
    counter.report(OTHER, category="errors")
    assert isinstance(counter.report(WEB), ev.IncidentOpened)
    assert isinstance(counter.report(CART), ev.AlarmJoined)


def test_what_was_just_changed_is_suspected_itself() -> None:
    counter = Counter(Topology(calls=CALLS, changed_at={WEB: BEGAN}))
    counter.report(BASE, category="errors")
    assert isinstance(counter.report(WEB), ev.IncidentOpened)


def test_what_comes_much_later_is_another_matter() -> None:
    counter = Counter()
    counter.report(BASE, category="errors")
    assert isinstance(counter.report(WEB, after=30), ev.IncidentOpened)


def test_calls_in_a_circle_tie_nothing() -> None:
    circle = {CART: frozenset({BASE}), BASE: frozenset({CART}), WEB: frozenset({CART})}
    counter = Counter(Topology(calls=circle))
    counter.report(CART, category="errors")
    counter.report(BASE, category="restarts")
    assert isinstance(counter.report(WEB), ev.IncidentOpened)


def test_pods_on_a_sick_node_point_at_the_node_whichever_alarm_comes_first() -> None:
    counter = Counter(ill("node-a"))
    opened = counter.report(CART, category="availability")
    assert isinstance(opened, ev.IncidentOpened)
    assert opened.origin == NODE
    assert isinstance(counter.report(NODE, category="node"), ev.AlarmJoined)
    caller = counter.report(WEB)
    assert isinstance(caller, ev.AlarmJoined)
    assert "on Node node-a" in caller.because


def test_a_pod_that_fails_elsewhere_too_is_not_the_nodes_matter() -> None:
    counter = Counter(ill("node-a", "node-b"))
    opened = counter.report(CART, category="availability")
    assert isinstance(opened, ev.IncidentOpened)
    assert opened.origin is None


def test_a_pod_and_a_service_stand_for_their_workload() -> None:
    pod = Subject(cluster=CLUSTER, kind=Kind.POD, namespace="shop", name="cart-1")
    service = Subject(cluster=CLUSTER, kind=Kind.SERVICE, namespace="shop", name="cart-svc")
    counter = Counter(Topology(owners={pod: CART, service: CART}))
    counter.report(pod, category="restarts")
    assert isinstance(counter.report(service), ev.AlarmJoined)
    assert isinstance(counter.report(CART, category="memory"), ev.AlarmJoined)


def test_grouping_can_be_switched_off() -> None:
    counter = Counter(enabled=False)
    counter.report(BASE, category="errors")
    assert isinstance(counter.report(CART), ev.IncidentOpened)
    assert counter.merged("INC-0002") == ""


def test_an_incident_goes_on_in_the_one_that_explains_it_once_that_is_open() -> None:
    counter = Counter()
    counter.report(WEB)
    counter.report(CART)
    assert isinstance(counter.report(OTHER, category="memory"), ev.IncidentOpened)
    counter.put("INC-0003", phase=Phase.CLOSED)
    assert counter.merged("INC-0001") == "INC-0002"
    counter.append(
        Decision(
            incident="INC-0001",
            events=(ev.IncidentMerged(at=BEGAN, into="INC-0002", because="x"),),
        )
    )
    again = counter.report(WEB, AlarmState.OK)
    assert isinstance(again, ev.AlarmJoined)
    assert counter.board.incidents["INC-0002"].alarms["web-latency"].state is AlarmState.OK


def test_what_a_person_split_off_stays_apart() -> None:
    counter = Counter()
    counter.report(BASE, category="errors")
    counter.report(CART)
    counter.report(WEB)
    request = SplitOff(id="s", incident="INC-0001", part="cart-latency")
    counter.append(split(request, counter.board, ANA, BEGAN))
    opened = counter.board.incidents["INC-0002"]
    out = taken_out(opened.history[0], ANA, BEGAN)
    assert out is not None
    counter.append(out)
    assert opened.alarm.subject == CART
    assert counter.merged("INC-0002") == ""
    assert "cart-latency" not in counter.board.incidents["INC-0001"].alarms
    assert isinstance(counter.report(CART), ev.AlarmJoined)
    assert counter.board.incidents["INC-0002"].joined == 1


def test_a_joined_incident_can_be_split_apart() -> None:
    counter = Counter()
    counter.report(CART)
    counter.report(BASE, category="errors")
    merged = ev.IncidentMerged(at=BEGAN, into="INC-0002", because="x")
    counter.append(Decision(incident="INC-0001", events=(merged,)))
    request = SplitOff(id="s", incident="INC-0002", part="INC-0001")
    counter.append(split(request, counter.board, ANA, BEGAN))
    apart = counter.board.incidents["INC-0001"]
    assert (apart.phase, apart.merged_into) == (Phase.OPEN, "")
    assert counter.merged("INC-0001") == ""


@pytest.mark.parametrize(
    ("incident", "alarm", "why"),
    [
        ("INC-0009", "x", "no incident"),
        ("INC-0001", "nothing", "has no alarm"),
        ("INC-0001", "base-errors", "opened INC-0001"),
        ("INC-0001", "INC-0001", "does not go on"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(incident: str, alarm: str, why: str) -> None:
    counter = Counter()
    counter.report(BASE, category="errors")
    counter.report(CART)
    request = SplitOff(id="s", incident=incident, part=alarm)
    (refused,) = split(request, counter.board, ANA, BEGAN).events
    assert isinstance(refused, ev.RequestRefused)
    assert why in refused.why


def unexplained(counter: Counter) -> Incident:
    counter.put("INC-0001", phase=Phase.UNEXPLAINED)
    return counter.board.incidents["INC-0001"]


def phase_of(counter: Counter) -> Phase:
    return counter.board.incidents["INC-0001"].phase


def test_an_incident_ends_once_every_alarm_of_it_has_cleared() -> None:
    counter = Counter()
    counter.report(BASE, category="errors")
    counter.report(CART)
    unexplained(counter)
    counter.report(BASE, AlarmState.OK, category="errors")
    assert phase_of(counter) is Phase.UNEXPLAINED
    counter.report(CART, AlarmState.INSUFFICIENT_DATA)
    assert phase_of(counter) is Phase.UNEXPLAINED
    counter.report(CART, AlarmState.OK)
    assert phase_of(counter) is Phase.RESOLVED
    assert isinstance(counter.report(BASE, category="errors"), ev.Reopened)


def test_what_joined_and_comes_back_after_the_end_is_a_matter_of_its_own() -> None:
    counter = Counter()
    counter.report(BASE, category="errors")
    counter.report(CART)
    counter.put("INC-0001", phase=Phase.VERIFIED)
    assert isinstance(counter.report(CART, after=60), ev.IncidentOpened)


def test_an_alarm_that_flaps_is_not_asked_about_each_time_and_ends_when_quiet() -> None:
    counter = Counter()
    kinds = []
    counter.report(BASE, category="errors")
    for _ in range(5):
        unexplained(counter)
        counter.report(BASE, AlarmState.OK, category="errors")
        kinds.append(type(counter.report(BASE, category="errors")).__name__)
    assert kinds == ["Reopened", "Reopened", "Reopened", "AlarmJoined", "AlarmJoined"]
    unexplained(counter)
    cleared = counter.report(BASE, AlarmState.OK, category="errors")
    assert isinstance(cleared, ev.AlarmJoined)
    assert "it flaps" in cleared.because
    assert counter.board.incidents["INC-0001"].phase is Phase.UNEXPLAINED


def test_an_end_that_arrives_before_its_beginning_opens_nothing() -> None:
    counter = Counter()
    counter.report(BASE, AlarmState.OK)
    late = counter.report(BASE, started_at=BEGAN, event_id="late")
    assert isinstance(late, ev.AlarmTurnedAway)
    assert "cleared" in late.because
    assert isinstance(counter.report(BASE), ev.IncidentOpened)


def test_an_old_message_does_not_bring_an_alarm_back() -> None:
    counter = Counter()
    counter.report(BASE, category="errors")
    counter.report(BASE, AlarmState.OK, category="errors")
    old = counter.report(
        BASE, category="errors", started_at=BEGAN + timedelta(minutes=1.5), event_id="old"
    )
    assert isinstance(old, ev.AlarmJoined)
    assert counter.board.incidents["INC-0001"].has_cleared


def test_a_prediction_explains_nothing_and_goes_on_in_what_happens() -> None:
    counter = Counter()
    counter.report(BASE, category="memory", source=AlarmSource.FORECAST, fingerprint="f")
    assert isinstance(counter.report(CART), ev.IncidentOpened)
    assert isinstance(counter.report(BASE, category="errors"), ev.IncidentOpened)
    assert counter.merged("INC-0001") == "INC-0003"


def test_a_composite_alarm_joins_what_it_is_made_of() -> None:
    counter = Counter()
    counter.report(OTHER)
    counter.report(BASE)
    joined = counter.composite("shop", "cart-latency", "base-latency")
    assert isinstance(joined, ev.AlarmJoined)
    assert joined.because == "it is made of base-latency, which fires in INC-0002"
    assert set(counter.board.incidents["INC-0002"].alarms) == {"base-latency", "shop"}


def test_a_composite_alarm_of_what_is_over_or_fires_no_more_stands_alone() -> None:
    counter = Counter()
    counter.report(BASE)
    counter.report(BASE, AlarmState.OK)
    assert isinstance(counter.composite("shop", "base-latency"), ev.IncidentOpened)
    counter.report(OTHER)
    counter.put("INC-0003", phase=Phase.CLOSED)
    assert isinstance(counter.composite("mall", "other-latency"), ev.IncidentOpened)
