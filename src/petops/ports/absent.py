"""What stands where a source is not set up: each question is answered with why it is not.

An investigation goes on without it, and its verdict says what was not measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

from petops.domain.cloud import BalancerUse, CloudUse
from petops.domain.evidence import PodScope, Window
from petops.domain.subject import Subject
from petops.domain.traces import LogLine, ServiceGraph, Trace, TraceSummary, Wanted
from petops.errors import SourceError
from petops.ports.answers import Told

_HINT: Final = "set AWS_REGION and credentials; `petops doctor` tells more"


class _Absent:
    """Raises the same error at each question."""

    def __init__(self, why: str, *, hint: str = _HINT) -> None:
        self._why, self._hint = why, hint

    def _refuse(self) -> NoReturn:
        raise SourceError(self._why, hint=self._hint)


class TracesAbsent(_Absent):
    """`Traces` of nobody."""

    async def find(self, wanted: Wanted, window: Window) -> Told[tuple[TraceSummary, ...]]:
        """Raise SourceError."""
        del wanted, window
        self._refuse()

    async def whole(self, ids: Sequence[str]) -> Told[tuple[Trace, ...]]:
        """Raise SourceError."""
        del ids
        self._refuse()

    async def graph(self, window: Window) -> Told[ServiceGraph]:
        """Raise SourceError."""
        del window
        self._refuse()


class LogsAbsent(_Absent):
    """`Logs` of nobody."""

    async def lines(
        self, scope: PodScope, window: Window, *, containing: str = "", limit: int = 200
    ) -> Told[tuple[LogLine, ...]]:
        """Raise SourceError."""
        del scope, window, containing, limit
        self._refuse()


class CloudAbsent(_Absent):
    """`Cloud` of nobody."""

    async def workload(self, subject: Subject, window: Window) -> Told[CloudUse]:
        """Raise SourceError."""
        del subject, window
        self._refuse()

    async def balancer(self, name: str, window: Window) -> Told[BalancerUse]:
        """Raise SourceError."""
        del name, window
        self._refuse()


NO_TRACES: Final = TracesAbsent("no X-Ray is set")
NO_LOGS: Final = LogsAbsent("no CloudWatch Logs is set")
NO_CLOUD: Final = CloudAbsent("no CloudWatch metrics are set")
