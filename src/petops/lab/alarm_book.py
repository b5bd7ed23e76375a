"""Every alarm of the lab, whoever made it: its definition, its state, and how that came.

The lab's own alarms are judged by `AlarmWatch`; they can be set, changed and deleted as any other.
Each change of state is handed to `tell` as the event that EventBridge delivers.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from petops.domain.subject import ClusterName
from petops.lab.alarm_composites import Composed
from petops.lab.alarm_definitions import (
    CompositeAlarm,
    Definition,
    MetricAlarm,
    built_in,
    configuration,
)
from petops.lab.alarm_events import CONTRIBUTOR_TYPE, DETAIL_TYPE, Event, enveloped, state
from petops.lab.alarm_history import Happened, historic
from petops.lab.alarm_judging import Contributor, Standing, judged, unchecked
from petops.lab.alarm_watch import LOOK_SECONDS, AlarmWatch
from petops.lab.alarms import Alarm, Judged, State
from petops.lab.aws_requests import AwsRefusalError
from petops.lab.metric_points import Source
from petops.ports import Clock

_HELD: Final = timedelta(seconds=60)
_JUDGED_EVERY: Final = timedelta(seconds=2)
_MOST_ALARMS: Final = 5000
_MOST_HISTORY: Final = 2000


@dataclass(slots=True, kw_only=True)
class Entry:
    """One alarm with its state. While it is `held`, its datapoints do not count."""

    definition: Definition
    standing: Standing
    configured: datetime
    is_own: bool = False
    held: datetime | None = None
    rule_held: bool | None = None
    contributors: dict[str, Contributor]


class AlarmBook:
    """All alarms, by their names."""

    def __init__(
        self,
        watch: AlarmWatch,
        source: Source,
        cluster: ClusterName,
        now: datetime,
        tell: Callable[[Event], None],
    ) -> None:
        self._watch, self._source, self._cluster, self._tell = watch, source, cluster, tell
        self._own_gone: set[str] = set()
        self._alarms: tuple[Alarm, ...] = ()
        self._held: set[str] = set()
        self._looked = now
        self.entries: dict[str, Entry] = {}
        self.history: deque[Happened] = deque(maxlen=_MOST_HISTORY)
        self._take_own(now, first=True)

    @property
    def states(self) -> dict[str, State]:
        """Each alarm's state, by its name."""
        return {name: entry.standing.state for name, entry in self.entries.items()}

    def look(self, now: datetime) -> None:
        """Evaluate all alarms: the lab's own, those on metrics, then those on other alarms."""
        for _ in self._looking(now):
            pass

    def _looking(self, now: datetime) -> Iterator[None]:
        """Do so in parts, so that others may have their turn: in a large cluster it is long."""
        moved = False
        for change in self._watch.looking(now):
            moved = moved or change is not None
            yield
        alarms = self._watch.alarms
        if moved or self._held or alarms != self._alarms:
            self._alarms = alarms
            self._take_own(now, first=False)
        if now - self._looked >= _JUDGED_EVERY:
            self._looked = now
            for entry in list(self.entries.values()):
                if isinstance(entry.definition, MetricAlarm) and not entry.is_own:
                    self._judge(entry, entry.definition, now)
        self._compose(now)

    async def run(self, clock: Clock, every_seconds: float = LOOK_SECONDS) -> None:
        """Look again and again, for ever."""
        while True:
            await clock.sleep(every_seconds)
            for _ in self._looking(clock.now()):
                await asyncio.sleep(0)

    def put(self, definition: Definition, now: datetime) -> None:
        """Make or change an alarm; one that is changed keeps its state until it is judged."""
        had = self.entries.get(definition.name)
        if had is None and len(self.entries) >= _MOST_ALARMS:
            raise AwsRefusalError("LimitExceeded", f"The lab keeps {_MOST_ALARMS} alarms at most.")
        if isinstance(definition, CompositeAlarm):
            missing = [name for name in definition.rule.names if name not in self.entries]
            if missing:
                raise AwsRefusalError(
                    "ValidationError",
                    f"Could not save the composite alarm: {missing[0]} is no alarm",
                )
        standing = had.standing if had else unchecked(now)
        self._own_gone.add(definition.name)
        self.entries[definition.name] = Entry(
            definition=definition,
            standing=standing,
            configured=now,
            contributors={} if had is None else had.contributors,
        )
        what = "updated" if had else "created"
        self._remember(definition, now, "ConfigurationUpdate", f'Alarm "{definition.name}" {what}')
        if isinstance(definition, CompositeAlarm):
            self._compose(now)

    def delete(self, names: list[str], now: datetime) -> None:
        """Forget alarms, all or none."""
        for name in names:
            if name not in self.entries:
                raise AwsRefusalError("ResourceNotFound", f"Alarm {name[:255]} does not exist", 404)
        for name in names:
            entry = self.entries.pop(name)
            self._own_gone.add(name)
            summary = f'Alarm "{name}" deleted'
            self._remember(entry.definition, now, "ConfigurationUpdate", summary)

    def set_state(self, name: str, wanted: State, reason: str, data: str, now: datetime) -> None:
        """Set an alarm's state by hand; its own datapoints take over a minute later."""
        entry = self.entries.get(name)
        if entry is None:
            raise AwsRefusalError("ResourceNotFound", f"Alarm {name[:255]} does not exist", 404)
        entry.held = now + _HELD
        self._held.add(name)
        self._change(entry, Standing(state=wanted, reason=reason, since=now, data=data))
        self._compose(now)

    def _take_own(self, now: datetime, *, first: bool) -> None:
        """Follow what the lab's own alarms are judged to be."""
        self._held -= {name for name in self._held if not self._is_held(name, now)}
        found = self._watch.judged
        for name, (alarm, judged_) in found.items():
            if name in self._own_gone:
                continue
            entry = self.entries.get(name)
            if entry is None:
                before = State.INSUFFICIENT_DATA
                standing = _standing(alarm, judged_, before if not first else None)
                entry = self.entries[name] = Entry(
                    definition=built_in(alarm),
                    standing=standing if first else unchecked(now),
                    configured=now,
                    is_own=True,
                    contributors={},
                )
            if judged_.state is not entry.standing.state and not _is_held(entry, now):
                self._change(entry, _standing(alarm, judged_, entry.standing.state, now))
        for name in [each for each, entry in self.entries.items() if entry.is_own]:
            if name not in found:
                del self.entries[name]

    def _is_held(self, name: str, now: datetime) -> bool:
        entry = self.entries.get(name)
        return entry is not None and _is_held(entry, now)

    def _judge(self, entry: Entry, definition: MetricAlarm, now: datetime) -> None:
        if _is_held(entry, now):
            return
        try:
            verdict = judged(definition, entry.standing, self._source, now)
        except AwsRefusalError as exc:
            reason = f"Insufficient Data: {exc.message}"
            wrong = Standing(state=State.INSUFFICIENT_DATA, reason=reason, since=now)
            if entry.standing.state is not wrong.state:
                self._change(entry, wrong)
            return
        self._contribute(entry, verdict.contributors)
        if verdict.standing.state is not entry.standing.state:
            self._change(entry, verdict.standing)

    def _contribute(self, entry: Entry, found: tuple[Contributor, ...]) -> None:
        """Tell of each contributor whose state changed; one that is new and well is no news."""
        for one in found:
            had = entry.contributors.get(one.id)
            entry.contributors[one.id] = one
            was = had.standing.state if had else State.OK
            if one.standing.state is was:
                if had:
                    entry.contributors[one.id] = had
                continue
            detail = {
                "alarmName": entry.definition.name,
                "alarmContributor": {"id": one.id, "attributes": dict(one.attributes)},
                "state": one.standing.shown(),
                "configuration": configuration(entry.definition),
            }
            now = one.standing.since
            mark = f"{one.id} {one.standing.state}"
            self._tell(enveloped(CONTRIBUTOR_TYPE, detail, now, self._cluster, mark))
            summary = f"Contributor state updated to {one.standing.state}"
            self._remember(
                entry.definition, now, "AlarmContributorStateUpdate", summary, contributor=one
            )

    def _compose(self, now: datetime) -> None:
        """Evaluate composite alarms until none changes; those that depend on others come later."""
        composites = [
            (entry, entry.definition)
            for entry in self.entries.values()
            if isinstance(entry.definition, CompositeAlarm)
        ]
        for _ in composites:
            changed = [self._composed(*one, now) for one in composites]
            if not any(changed):
                return

    def _composed(self, entry: Entry, definition: CompositeAlarm, now: datetime) -> bool:
        """Judge one composite alarm when its rule's result has changed; say whether it has."""
        states = self.states
        holds = definition.rule.holds(states)
        if holds is entry.rule_held:
            return False
        is_first, entry.rule_held = entry.rule_held is None, holds
        wanted = State.ALARM if holds else State.OK
        if wanted is entry.standing.state:
            return False
        named = [name for name in definition.rule.names if name in states]
        children = {name: self.entries[name].standing for name in named}
        rule = Composed(definition=definition, children=children, cluster=self._cluster)
        self._change(entry, rule.standing(wanted, states, now, is_first=is_first))
        return True

    def _change(self, entry: Entry, after: Standing) -> None:
        before, definition = entry.standing, entry.definition
        moved = before.state is not after.state
        entry.standing = replace(
            after, transitioned=after.since if moved else before.transitioned or before.since
        )
        if not moved:
            return
        detail = {
            "alarmName": definition.name,
            "configuration": configuration(definition),
            "previousState": before.shown(),
            "state": after.shown(),
        }
        mark = str(after.state)
        self._tell(enveloped(DETAIL_TYPE, detail, after.since, self._cluster, mark))
        states = {"oldState": historic(before), "newState": historic(after)}
        summary = f"Alarm updated from {before.state} to {after.state}"
        self._remember(definition, after.since, "StateUpdate", summary, states)

    def _remember(
        self,
        definition: Definition,
        at: datetime,
        kind: str,
        summary: str,
        data: Mapping[str, Any] | None = None,
        *,
        contributor: Contributor | None = None,
    ) -> None:
        self.history.append(
            Happened(
                alarm=definition.name,
                is_composite=isinstance(definition, CompositeAlarm),
                at=at,
                kind=kind,
                summary=summary,
                data=json.dumps({"version": "1.0", **(data or {})}),
                contributor=contributor,
            )
        )


def _is_held(entry: Entry, now: datetime) -> bool:
    return entry.held is not None and now < entry.held


def _standing(
    alarm: Alarm, found: Judged, before: State | None, now: datetime | None = None
) -> Standing:
    """Return the state of one of the lab's own alarms; `now` where it is told of only now."""
    said = state(alarm, found, before)
    return Standing(
        state=found.state,
        reason=said["reason"],
        since=now or found.since,
        data=said.get("reasonData", ""),
    )
