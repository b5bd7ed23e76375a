"""Watches the lab's world as CloudWatch does, and says each alarm's change of state as an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from petops.domain.subject import ClusterName
from petops.lab.alarm_events import Event, event
from petops.lab.alarms import Alarm, AlarmTable, Judged, State
from petops.lab.container_insights import ContainerInsights
from petops.lab.telemetry import Telemetry
from petops.ports import Clock

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
        world = self._world
        self._alarms.watch(self._insights.series(world.store.objects), now)
        datapoints = self._insights.observe(
            now, world.usage(), world.nodes_usage(), world.store.objects
        )
        return [event(each, self._cluster) for each in self._alarms.evaluate(datapoints, now)]

    async def run(self, clock: Clock, tell: Callable[[Event], None]) -> None:
        """Look every second, for ever, and hand each event to `tell`."""
        while True:
            await clock.sleep(LOOK_SECONDS)
            for each in self.look(clock.now()):
                tell(each)
