"""Who gets how much of a node's CPUs: what is asked for by requests, the rest by who wants it.

As the kernel's fair scheduler does it: nobody gets more than he wants (or than his limit), and what
is short is shared by weight, which follows from the container's CPU request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from petops.lab.quantities import quantity
from petops.lab.runs import Run
from petops.lab.stage import Stage
from petops.lab.store import key_of

LOOK_SECONDS: Final = 5.0
_SYSTEM_CORES: Final = 0.035
_LEAST_WEIGHT: Final = 2.0
_NOTHING: Final = 1e-9


def shared(cores: float, wanted: Sequence[tuple[float, float]]) -> list[float]:
    """Return what each of (weight, cores wanted) gets of so many cores."""
    given, left = [0.0] * len(wanted), cores
    open_ones = [index for index, (_, demand) in enumerate(wanted) if demand > 0]
    while open_ones and left > _NOTHING:
        weights = sum(wanted[index][0] for index in open_ones)
        fair = left / weights
        content = [one for one in open_ones if wanted[one][1] <= wanted[one][0] * fair]
        if not content:
            for index in open_ones:
                given[index] = wanted[index][0] * fair
            return given
        for index in content:
            given[index] = wanted[index][1]
            left -= given[index]
        open_ones = [index for index in open_ones if index not in content]
    return given


class NodeCpus:
    """Tells each run, every few seconds, which part of the CPU that it wants it gets."""

    def __init__(
        self, stage: Stage, runs: Callable[[], Iterator[Run]], settle: Callable[[], None]
    ) -> None:
        self._stage, self._runs, self._settle = stage, runs, settle
        self._requests: dict[str, tuple[float, float]] = {}
        self._short: dict[str, float] = {}
        self.waiting_seconds: dict[str, float] = {}
        """How long something on each node has waited for a CPU, beside what is usual."""

    def begin(self) -> None:
        """Look from now on."""
        self._look()

    def _look(self) -> None:
        by_node: dict[str, list[Run]] = {}
        for run in self._runs():
            by_node.setdefault(run.node, []).append(run)
        cpus = {
            key_of(node)[1]: float(quantity(node["status"]["capacity"]["cpu"]))
            for node in self._stage.store.objects("nodes")
        }
        demands = {run.container_id: self._demand(run) for runs in by_node.values() for run in runs}
        short = {
            node: runs
            for node, runs in by_node.items()
            if sum(demands[run.container_id] for run in runs) > self._room(cpus, node)
        }
        if short or self._short:
            self._settle()  # what was spent so far was spent by the old shares
        for node, waited in self._short.items():
            seconds = self.waiting_seconds.get(node, 0.0) + waited * LOOK_SECONDS
            self.waiting_seconds[node] = seconds
        for node in set(self._short) - set(short):
            for run in by_node.get(node, ()):
                run.granted_ratio = 1.0
        self._short = {
            node: self._share(runs, demands, self._room(cpus, node)) for node, runs in short.items()
        }
        self._requests = {
            run.container_id: (self._stage.now.timestamp(), run.requests)
            for runs in by_node.values()
            for run in runs
        }
        self._stage.after(LOOK_SECONDS, self._look)

    @staticmethod
    def _room(cpus: dict[str, float], node: str) -> float:
        return cpus.get(node, 0.0) - _SYSTEM_CORES

    def _demand(self, run: Run) -> float:
        """Return the cores that a run would use if nobody else did."""
        at, before = self._requests.get(run.container_id, (0.0, 0.0))
        seconds = self._stage.now.timestamp() - at
        rate = max(run.requests - before, 0.0) / seconds if at and seconds > 0 else 0.0
        demand = run.behaviour.cpu_cores(run.age(self._stage.now))
        demand += rate * run.behaviour.cpu_seconds_per_request
        limit = run.program.cpu_limit_cores
        return demand if limit is None else min(demand, limit)

    @staticmethod
    def _share(runs: Sequence[Run], demands: dict[str, float], cores: float) -> float:
        """Give each run its part; return the part of the time that the worst of them waits."""
        wanted = [
            (max(run.program.cpu_request_cores * 1000, _LEAST_WEIGHT), demands[run.container_id])
            for run in runs
        ]
        for run, (_, demand), got in zip(runs, wanted, shared(cores, wanted), strict=True):
            run.granted_ratio = max(got / demand, 0.02) if demand > 0 else 1.0
        return 1.0 - min(run.granted_ratio for run in runs)
