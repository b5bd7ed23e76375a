"""Watches the lab's world as CloudWatch does, and says each alarm's change of state as an event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from petops.domain.subject import ClusterName
from petops.lab.alarm_events import Event, event
from petops.lab.alarms import Alarm, AlarmTable, Judged, State
from petops.lab.container_insights import ContainerInsights, Datapoint
from petops.lab.telemetry import Telemetry

LOOK_SECONDS: Final = 1.0
_BEFORE: Final = timedelta(seconds=15)


class AlarmWatch:
    """The alarms of one world. They have been there for long: their first state is no event."""

    def __init__(self, world: Telemetry, cluster: ClusterName, now: datetime) -> None:
        self._world = world
        self._cluster = cluster
        self._insights = ContainerInsights(cluster.name)
        self._alarms = AlarmTable()
        before = now - _BEFORE
        self._insights.observe(
            before, world.history(before), world.nodes_history(before), world.store.objects
        )
        self.look(now)

    @property
    def states(self) -> dict[str, State]:
        """Each alarm's state, by its name."""
        return dict(self._alarms.states)

    @property
    def judged(self) -> Mapping[str, tuple[Alarm, Judged]]:
        """Each alarm with its state, by its name."""
        return self._alarms.judged

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Every alarm that there is now."""
        return self._alarms.alarms

    def look(self, now: datetime) -> list[Event]:
        """Evaluate all alarms; return the events of those that changed."""
        return [each for each in self.looking(now) if each is not None]

    def looking(self, now: datetime) -> Iterator[Event | None]:
        """Do the same in parts, so that others get their turn: after each part comes a None."""
        world = self._world
        self._alarms.watch(self._insights.series(world.store.objects), now)
        yield None
        usages = world.usage()
        yield None
        nodes = world.nodes_usage()
        yield None
        observed = list[Datapoint]()
        for part in self._insights.observed(now, usages, nodes, world.store.objects):
            observed += part
            yield None
        for change in self._alarms.evaluate(observed, now):
            yield event(change, self._cluster)
