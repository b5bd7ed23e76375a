"""The rows that the memory leak's ledger is made of.

Each one thing seen, and what would refute it.
"""

from __future__ import annotations

from petops.domain.diagnosis import Weighs
from petops.domain.facts import Lifetime, Rollouts
from petops.playbooks.base import Ledger
from petops.playbooks.growth import growth, noise_mib, slope
from petops.playbooks.leak_suspect import Suspect, typical_life_seconds
from petops.playbooks.node_trouble import SILENT, told_well
from petops.playbooks.steps.memory import container_memory, request_load, siblings
from petops.playbooks.steps.workloads import container_stops, node_conditions, recent_rollouts

RESTARTS_OF_A_LOOP = 2
# Load that rose by less than this explains no growth of memory.
LOAD_ROSE_RATIO = 1.5


def growth_row(ledger: Ledger, found: Suspect, *, measured: bool) -> None:
    """Write whether memory grows, lifetime by lifetime."""
    statement = f"memory of {found.container} grows in every lifetime"
    refuted_if = "memory is flat, or falls back within a lifetime"
    if not measured or not found.lives:
        why = "" if not measured else "no readings of its memory in the window"
        ledger.not_measured(container_memory, statement, refuted_if=refuted_if, why=why)
        return
    leaking, judged = found.leaking, [one for one in found.grown if one.readings >= 3]
    if leaking:
        longest = max(leaking, key=lambda one: one.readings)
        sure = longest.readings >= 5 or len(leaking) >= 2 or bool(found.kills)
        ledger.supports(
            container_memory,
            0.5 if sure else 0.4,
            statement,
            seen=(
                f"+{found.mib_per_minute:.1f} MiB a minute in {len(leaking)} of "
                f"{max(len(judged), len(leaking))} lifetimes: {longest.from_mib:.0f} -> "
                f"{longest.to_mib:.0f} MiB in {longest.seconds:.0f} s"
            ),
            refuted_if=refuted_if,
        )
    elif found.leaks_by_age and found.together is not None:
        ledger.supports(
            container_memory,
            0.4,
            statement,
            seen=(
                f"{found.together.readings} readings of {len(found.lives)} lifetimes lie on one "
                f"line over the container's age: +{found.mib_per_minute:.1f} MiB a minute"
            ),
            refuted_if=refuted_if,
        )
    elif not found.grown or (found.kills and not judged):
        ledger.not_measured(
            container_memory,
            statement,
            refuted_if=refuted_if,
            why="there are too few readings of each of its lifetimes",
        )
    else:
        ledger.refutes(container_memory, statement, seen=flat_words(found), refuted_if=refuted_if)


def flat_words(found: Suspect) -> str:
    """Say between which values the suspect's memory stayed."""
    life = max(found.lives, key=lambda one: len(one.readings))
    low, high = min(one.mib for one in life.readings), max(one.mib for one in life.readings)
    return f"between {low:.0f} and {high:.0f} MiB in {life.pod}, without lasting growth"


def kill_row(ledger: Ledger, found: Suspect) -> None:
    """Write how its containers ended."""
    statement = "the kernel kills it for its memory"
    refuted_if = "its containers end for another reason"
    if found.kills:
        lived = typical_life_seconds(found)
        after = f", the last after {lived:.0f} s of life" if lived else ""
        pods = len({kill.pod for kill in found.kills})
        seen = f"OOMKilled in {pods} pod{'s' * (pods > 1)}, {found.restarts} restarts{after}"
        ledger.supports(container_stops, 0.25, statement, seen=seen, refuted_if=refuted_if)
        return
    stops = ledger.evidence.fact(container_stops)
    if stops is None:
        ledger.not_measured(container_stops, statement, refuted_if=refuted_if)
        return
    others = sorted({f"{one.reason or 'ended'} (exit {one.exit_code})" for one in stops.stops})
    grows = bool(found.leaking) or found.leaks_by_age
    if others and grows and found.ends_near_its_limit:
        # Not killed by the kernel, and yet for its memory: too slow for a probe, or given up.
        seen = f"{', '.join(others)}, near its limit each time"
        ledger.row(container_stops, Weighs.AGAINST, statement, seen=seen, refuted_if=refuted_if)
        return
    # What ends by itself again and again is young whenever it is looked at: its start is no leak.
    if others and (not grows or found.restarts >= RESTARTS_OF_A_LOOP):
        ledger.opposes(
            container_stops, 0.3, statement, seen=", ".join(others), refuted_if=refuted_if
        )


def eviction_row(ledger: Ledger, found: Suspect) -> None:
    """Write whether the node itself is short of memory."""
    statement = "the node itself has memory left"
    refuted_if = "the node is short of memory and pods were evicted"
    nodes = ledger.evidence.fact(node_conditions)
    if nodes is None:
        ledger.not_measured(node_conditions, statement, refuted_if=refuted_if)
    elif nodes.short_of_memory and not found.kills:
        seen = f"MemoryPressure on {', '.join(nodes.short_of_memory)}"
        ledger.opposes(node_conditions, 0.3, statement, seen=seen, refuted_if=refuted_if)
    elif not nodes.short_of_memory:
        seen = told_well(nodes, "MemoryPressure")
        if not seen:
            ledger.not_measured(node_conditions, statement, refuted_if=refuted_if, why=SILENT)
            return
        ledger.supports(node_conditions, 0.05, statement, seen=seen, refuted_if=refuted_if)


def cache_row(ledger: Ledger, found: Suspect) -> None:
    """Write whether it is page cache that grows."""
    statement = "it is anonymous memory, not page cache"
    refuted_if = "the page cache grows and anonymous memory does not"
    cached = [life for life in found.lives if len(life.cache) >= 2]
    single = [life for life in found.lives if len(life.cache) == 1]
    if not cached and not single:
        ledger.not_measured(
            container_memory, statement, refuted_if=refuted_if, why="no page cache was served"
        )
        return
    rate = max((_cache_rate(life) for life in cached), default=0.0)
    if rate <= found.mib_per_minute / 2:
        seen = f"page cache {rate:+.1f} MiB a minute"
        ledger.supports(container_memory, 0.1, statement, seen=seen, refuted_if=refuted_if)
    else:
        seen = f"page cache grows too, {rate:+.1f} MiB a minute"
        ledger.opposes(container_memory, 0.1, statement, seen=seen, refuted_if=refuted_if)


def _cache_rate(life: Lifetime) -> float:
    first = life.cache[0].at
    rate = slope([((one.at - first).total_seconds(), one.mib) for one in life.cache])
    moved = abs(life.cache[-1].mib - life.cache[0].mib)
    return rate if moved > noise_mib(life) else 0.0


def load_row(ledger: Ledger) -> None:
    """Write whether the load explains the growth."""
    statement = "the load does not explain it"
    refuted_if = f"requests rose {LOAD_ROSE_RATIO:g} times or more with memory"
    load = ledger.evidence.fact(request_load)
    if load is None:
        ledger.not_measured(request_load, statement, refuted_if=refuted_if)
        return
    seen = f"{load.first_per_second:.1f} -> {load.last_per_second:.1f} requests a second"
    if load.change_ratio is not None and load.change_ratio >= LOAD_ROSE_RATIO:
        ledger.opposes(request_load, 0.2, statement, seen=seen, refuted_if=refuted_if)
    else:
        ledger.supports(request_load, 0.1, statement, seen=seen, refuted_if=refuted_if)


def sibling_row(ledger: Ledger, found: Suspect, lives: tuple[Lifetime, ...]) -> None:
    """Write whether pods that do the same work grow as well."""
    statement = "pods of other owners behind the same service do not grow"
    refuted_if = "all of them grow alike: then it is load, or a dependency"
    answer = ledger.evidence.fact(siblings)
    others = [life for life in lives if life.owner != found.owner and growth(life) is not None]
    if answer is not None:
        others += [life for life in answer.lifetimes if growth(life) is not None]
    elif not others:
        ledger.not_measured(siblings, statement, refuted_if=refuted_if)
        return
    if not others:
        return  # it has no siblings: nothing to learn
    growing = sum(1 for life in others if (one := growth(life)) is not None and one.leaking)
    seen = f"{growing} of {len(others)} grow"
    if growing * 2 > len(others):
        ledger.opposes(siblings, 0.1, statement, seen=seen, refuted_if=refuted_if)
    else:
        ledger.supports(siblings, 0.05, statement, seen=seen, refuted_if=refuted_if)


def rollout_row(ledger: Ledger, rollouts: Rollouts | None, *, with_rollout: bool) -> None:
    """Write whether the growth began with the running revision."""
    statement = "it began with a rollout"
    refuted_if = "the growth is older than the running revision, or began long after it"
    if rollouts is None:
        ledger.not_measured(recent_rollouts, statement, refuted_if=refuted_if)
        return
    current = rollouts.current
    if current is None or rollouts.current_since is None:
        ledger.not_measured(
            recent_rollouts, statement, refuted_if=refuted_if, why="no revision is known"
        )
        return
    seen = f"revision {current.number} runs since {rollouts.current_since:%Y-%m-%d %H:%M:%S}Z"
    if with_rollout:
        ledger.supports(recent_rollouts, 0.1, statement, seen=seen, refuted_if=refuted_if)
    else:
        # A leak without a rollout is no less a leak: this changes the remedy, not the cause.
        ledger.opposes(recent_rollouts, 0.0, statement, seen=seen, refuted_if=refuted_if)
