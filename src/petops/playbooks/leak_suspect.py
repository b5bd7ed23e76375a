"""Which container, if any, leaks: its lifetimes, kills and rollout laid together. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from petops.domain.diagnosis import LeakForecast
from petops.domain.facts import AffectedPods, Lifetime, Revision, Rollouts, Stop
from petops.domain.subject import Subject
from petops.playbooks.growth import Growth, at_limit, growth, is_flat, pooled, seconds_until

# A revision that served this long before it was replaced is taken as good where nothing measured
# it.
GOOD_AFTER = timedelta(hours=1)
# Readings that are older than this are no word of what a container does now.
STALE = timedelta(minutes=5)
# A container that ended this near its limit, after growing for so long, ended for its memory,
# whoever ended it: a program that is short of memory is too slow for its liveness probe.
NEAR_LIMIT_RATIO = 0.8
LONG_GROWN_SECONDS = 300.0
# A rise that is slower than the leak by this much is another thing than the leak.
SLOWER_RATIO = 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """One container of one owner, and everything that bears on whether it leaks."""

    owner: Subject
    container: str
    revision: str
    lives: tuple[Lifetime, ...]
    grown: tuple[Growth, ...]
    together: Growth | None
    kills: tuple[Stop, ...]
    restarts: int
    began_at: datetime | None

    @property
    def leaking(self) -> tuple[Growth, ...]:
        return tuple(one for one in self.grown if one.leaking)

    @property
    def leaks_by_age(self) -> bool:
        return self.together is not None and self.together.leaking

    @property
    def ends_near_its_limit(self) -> bool:
        """Whether two lifetimes or more grew for minutes, and ended when near their limit."""
        ended = [
            (one, life.limit_mib)
            for life in self.lives
            if not life.alive and (one := growth(life)) is not None
        ]
        near = [
            one
            for one, limit in ended
            if one.leaking and one.seconds >= LONG_GROWN_SECONDS
            if limit is not None and one.to_mib >= NEAR_LIMIT_RATIO * limit
        ]
        return len(near) >= 2

    @property
    def is_measured(self) -> bool:
        """Whether there are readings enough to tell growth from none."""
        enough = [one for one in self.grown if one.readings >= 3 or not one.leaking]
        return bool(enough) or self.together is not None

    @property
    def mib_per_minute(self) -> float:
        """The median rate of the lifetimes that leak, else of all laid together, else 0."""
        if self.leaking:
            return median(one.mib_per_minute for one in self.leaking)
        return (
            self.together.mib_per_minute if self.together is not None and self.leaks_by_age else 0.0
        )

    @property
    def weight(self) -> tuple[bool, int, int, float]:
        """Order suspects: a leak that was seen, then kills, then restarts, then the rate."""
        leaks = bool(self.leaking) or self.leaks_by_age
        return leaks, len(self.kills), self.restarts, self.mib_per_minute


def suspects(affected: AffectedPods, lives: Iterable[Lifetime]) -> tuple[Suspect, ...]:
    """Return one suspect for each container of each owner's running revision.

    The likeliest first.
    """
    all_lives = tuple(lives)
    keys = {
        (pod.owner, one.name): max(
            (other for other in affected.pods if other.owner == pod.owner),
            key=lambda other: other.created_at,
        ).revision
        for pod in affected.pods
        for one in pod.containers
    }
    found = [_suspect(affected, all_lives, *key, revision) for key, revision in keys.items()]
    return tuple(sorted(found, key=lambda one: one.weight, reverse=True))


def _suspect(
    affected: AffectedPods,
    all_lives: tuple[Lifetime, ...],
    owner: Subject,
    container: str,
    revision: str,
) -> Suspect:
    lives = tuple(
        life
        for life in all_lives
        if (life.owner, life.container, life.revision) == (owner, container, revision)
    )
    containers = [
        one
        for pod in affected.pods
        if pod.owner == owner and pod.revision == revision
        for one in pod.containers
        if one.name == container
    ]
    stops = [one.last_stop for one in containers if one.last_stop is not None]
    kills = tuple(stop for stop in stops if stop.is_out_of_memory)
    grown = tuple(found for life in lives if (found := growth(life)) is not None)
    starts = [one.since for one in grown if one.leaking]
    starts += [kill.started_at for kill in kills if kill.started_at is not None]
    together = pooled(lives)
    if together is not None and together.leaking:
        starts.append(together.since)
    return Suspect(
        owner=owner,
        container=container,
        revision=revision,
        lives=lives,
        grown=grown,
        together=together,
        kills=kills,
        restarts=sum(one.restarts for one in containers),
        began_at=min(starts, default=None),
    )


def unseen_since(suspect: Suspect, now: datetime) -> datetime | None:
    """Return since when none of its containers was measured; None where one was just now."""
    latest = max((life.seen_until for life in suspect.lives), default=None)
    return latest if latest is not None and now - latest > STALE else None


def good_revision(
    rollouts: Rollouts | None, suspect: Suspect, lives: Iterable[Lifetime]
) -> Revision | None:
    """Return the newest earlier revision that did not leak.

    By its readings, else by its long service.
    """
    if rollouts is None or rollouts.subject != suspect.owner:
        return None
    all_lives = tuple(lives)
    newer_began = rollouts.current_since
    for revision in rollouts.earlier:
        measured = [
            life
            for life in all_lives
            if life.revision == revision.name.rpartition("-")[2]
            and life.container == suspect.container
            and growth(life) is not None
        ]
        if measured:
            if all(_was_good(life, suspect.mib_per_minute) for life in measured):
                return revision
        elif newer_began is not None and newer_began - revision.created_at >= GOOD_AFTER:
            return revision
        newer_began = revision.created_at
    return None


def _was_good(life: Lifetime, leak_mib_per_minute: float) -> bool:
    """Say whether a lifetime of an earlier revision did not leak.

    Where it was too short to see it flat, it counts as good if it rose by less than a third of what
    the leak would have made of the same time: that was its start.
    """
    found = growth(life)
    if found is None or found.leaking:
        return False
    if is_flat(life):
        return True
    rise = (life.readings[-1].mib - life.readings[0].mib) / max(found.seconds, 1.0) * 60
    return rise < SLOWER_RATIO * leak_mib_per_minute


def began_with_rollout(rollouts: Rollouts | None, suspect: Suspect, since: datetime) -> bool:
    """Say whether the growth began with the running revision: not before it, and not long after.

    `since` is the start of what was looked at. A revision from before that has its first lifetimes
    out of sight, so nothing ties the growth to it.
    """
    if rollouts is None or rollouts.subject != suspect.owner or rollouts.current_since is None:
        return False
    if suspect.began_at is None or rollouts.current_since < since:
        return False
    began = suspect.began_at
    late = max(timedelta(minutes=2), timedelta(seconds=2 * typical_life_seconds(suspect)))
    return rollouts.current_since - timedelta(seconds=30) <= began <= rollouts.current_since + late


def typical_life_seconds(suspect: Suspect) -> float:
    """Return how long a container lives until it is killed; 0 where none was."""
    lived = [kill.lived_seconds for kill in suspect.kills if kill.lived_seconds is not None]
    return median(lived) if lived else 0.0


def forecast(suspect: Suspect) -> LeakForecast:
    """Return how fast the suspect leaks and when it is killed next.

    The first of its living containers.
    """
    rate = suspect.mib_per_minute
    times = [
        (seconds_until(life.limit_mib, life.readings[-1].mib, rate), life)
        for life in suspect.lives
        if life.alive and life.readings
    ]
    known = [(seconds, life) for seconds, life in times if seconds is not None]
    nearest = min(known, key=lambda one: one[0], default=None)
    return LeakForecast(
        growth_mib_per_minute=rate,
        seconds_to_kill=nearest[0] if nearest else None,
        next_kill_at=at_limit(nearest[1].readings[-1], nearest[1].limit_mib, rate)
        if nearest
        else None,
    )
