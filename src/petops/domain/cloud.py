"""What CloudWatch measured: of a workload (Container Insights), and at a load balancer.

Every mean is of the last minutes, `before_` of well before them; None is 'no data', never zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from petops.domain.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudUse:
    """A workload's pods as Container Insights saw them. Ratios are of the pods' own limits."""

    subject: Subject
    cpu_of_limit_ratio: float | None = None
    before_cpu_of_limit_ratio: float | None = None
    memory_of_limit_ratio: float | None = None
    before_memory_of_limit_ratio: float | None = None
    restarts: float | None = None

    @property
    def is_measured(self) -> bool:
        """Whether there is any value."""
        return any(
            one is not None
            for one in (self.cpu_of_limit_ratio, self.memory_of_limit_ratio, self.restarts)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerUse:
    """What an application load balancer saw. Rates are a second, and of targets and of itself."""

    name: str
    requests_per_second: float | None = None
    target_seconds: float | None = None
    before_target_seconds: float | None = None
    target_errors_per_second: float | None = None
    before_target_errors_per_second: float | None = None
    own_errors_per_second: float | None = None
    unhealthy_hosts: float | None = None
