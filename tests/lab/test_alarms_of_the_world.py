"""The alarms over the simulated cluster, in its own time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from petops.lab.alarm_watch import AlarmWatch
from petops.lab.world import World

DEPLOYMENT = "petadoptionshistory-py"


class OwnClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def changes(
    world: World, clock: OwnClock, watch: AlarmWatch, seconds: int
) -> list[tuple[str, str]]:
    found = []
    for _ in range(seconds):
        clock.at += timedelta(seconds=1)
        found += [
            (event["detail"]["alarmName"], event["detail"]["state"]["value"])
            for event in watch.look(clock.now())
        ]
    return found


@pytest.mark.slow
def test_a_healthy_cluster_is_quiet_and_a_leak_raises_memory_and_then_restarts() -> None:
    clock = OwnClock()
    world = World(clock)
    watch = AlarmWatch(world, world.cluster, clock.now())
    silent = {name for name, state in watch.states.items() if state != "OK"}
    assert silent == {"kube-system-kube-dns-cpu"}  # CoreDNS has no CPU limit
    assert changes(world, clock, watch, 600) == []
    deployment = world.store.get("deployments", "default", DEPLOYMENT)
    container = deployment["spec"]["template"]["spec"]["containers"][0]["name"]
    leak = {"name": container, "env": [{"name": "LEAK_MIB_PER_SECOND", "value": "2"}]}
    template = {"spec": {"containers": [leak]}}
    world.apply(
        [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": DEPLOYMENT},
                "spec": {"template": template},
            }
        ]
    )
    first, second, *_ = changes(world, clock, watch, 600)
    assert first == (f"default-{DEPLOYMENT}-memory", "ALARM")
    assert second == (f"default-{DEPLOYMENT}-restarts", "ALARM")
