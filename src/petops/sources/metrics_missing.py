"""`Metrics` where none are set up: each question says so, and the investigation goes on."""

from __future__ import annotations

from petops.domain.evidence import PodScope, Readings, Signal, Window
from petops.errors import SourceError


class MetricsMissing:
    """Answers no question, and says why."""

    def __init__(self, why: str, *, hint: str | None = None) -> None:
        self._why = why
        self._hint = hint

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        """Raise SourceError."""
        del signal, scope, window
        raise SourceError(self._why, hint=self._hint)
